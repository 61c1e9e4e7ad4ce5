//! ClamAV through its daemon (clamd(8), "COMMANDS"): `zINSTREAM` for each plain file.
//!
//! Connections are made before the inspector is confined, which then cannot make any. Each file goes over one of them
//! by `zIDSESSION`; whatever is not `OK` or `FOUND` is an error, and the connection is not used again.

use mercat_certify::advisories::Day;
use mercat_certify::{Companion, FileScan};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where the daemon is, and what of it may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClamdConfig {
    /// A socket: its path, or `host:port`.
    pub socket: String,
    /// Bytes of one stream: `StreamMaxLength` of its configuration, or less.
    #[serde(default = "stream_bytes_max")]
    pub stream_bytes_max: u64,
    /// Days after which its database is too old; 0 takes any.
    #[serde(default = "database_days_max")]
    pub database_days_max: u32,
    /// Seconds that it may take for an answer.
    #[serde(default = "timeout_secs")]
    pub timeout_secs: u64,
}

fn stream_bytes_max() -> u64 {
    25 << 20
}

fn database_days_max() -> u32 {
    7
}

fn timeout_secs() -> u64 {
    120
}

/// What a daemon is reached for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    /// Its version only.
    None,
    /// A connection for every thread.
    ToScan,
}

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4096;

trait Stream: Read + Write + Send {}
impl Stream for UnixStream {}
impl Stream for TcpStream {}

/// A daemon that was reached.
pub(crate) struct Clamd {
    version: String,
    trouble: Option<String>,
    stream_bytes_max: u64,
    free: Mutex<Vec<Session>>,
}

struct Session {
    stream: Box<dyn Stream>,
    /// Number of the last request of this session.
    requests: u64,
}

fn connect(config: &ClamdConfig) -> io::Result<Box<dyn Stream>> {
    let patience = Some(Duration::from_secs(config.timeout_secs.max(1)));
    if config.socket.starts_with('/') {
        let stream = UnixStream::connect(&config.socket)?;
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        return Ok(Box::new(stream));
    }
    let stream = TcpStream::connect(&config.socket)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    Ok(Box::new(stream))
}

impl Clamd {
    /// Reaches a daemon.
    ///
    /// # Errors
    /// Why it cannot be reached or does not answer as a clamd does.
    pub(crate) fn reach(config: &ClamdConfig, today: Day, connections: Connections) -> Result<Self, String> {
        let told = |error: io::Error| format!("clamd at {}: {error}", config.socket);
        let mut stream = connect(config).map_err(told)?;
        stream.write_all(b"zVERSION\0").map_err(told)?;
        let version = answer(&mut *stream)?;
        if !version.starts_with("ClamAV ") {
            return Err(format!("clamd at {}: {version:?} is no version of ClamAV", config.socket));
        }
        let trouble = too_old(&version, config.database_days_max, today);
        let mut free = Vec::new();
        let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let count = if connections == Connections::ToScan { threads } else { 0 };
        for _ in 0..count {
            let mut stream = connect(config).map_err(told)?;
            stream.write_all(b"zIDSESSION\0").map_err(told)?;
            free.push(Session { stream, requests: 0 });
        }
        let stream_bytes_max = config.stream_bytes_max;
        Ok(Self { version, trouble, stream_bytes_max, free: Mutex::new(free) })
    }
}

/// `ClamAV 1.4.6/27500/Mon Nov 24 09:12:01 2026`: program, database, and when that was made.
fn too_old(version: &str, days_max: u32, today: Day) -> Option<String> {
    if days_max == 0 {
        return None;
    }
    let date = version.splitn(3, '/').nth(2).map(str::trim).unwrap_or_default();
    let parsed = jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S %Y", date);
    let Ok(parsed) = parsed else {
        return Some(format!("its database tells no date: {version:?}"));
    };
    let days = today.since(Day::parse(&parsed.date().to_string()).unwrap_or_default());
    if days > i64::from(days_max) {
        return Some(format!("its database is {days} days old, and {days_max} are allowed"));
    }
    // A clock that is wrong here or there makes every age meaningless.
    (days < -2).then(|| format!("its database is from {} days in the future", -days))
}

/// One answer, up to its NUL.
fn answer(stream: &mut dyn Stream) -> Result<String, String> {
    let mut out = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return Err("it closed the connection".to_owned()),
            Ok(_) if byte[0] == 0 => return Ok(String::from_utf8_lossy(&out).into_owned()),
            Ok(_) if out.len() >= ANSWER_BYTES_MAX => return Err("an answer without end".to_owned()),
            Ok(_) => out.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err("it did not answer in time".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Companion for Clamd {
    fn name(&self) -> &str {
        "ClamAV"
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn begin(&self) -> Result<Box<dyn FileScan + '_>, String> {
        let session = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = session.ok_or("no connection to clamd is left that works")?;
        session.requests += 1;
        session.stream.write_all(b"zINSTREAM\0").map_err(|error| error.to_string())?;
        Ok(Box::new(Instream { clamd: self, session }))
    }

    fn file_bytes_max(&self) -> u64 {
        self.stream_bytes_max
    }
}

struct Instream<'c> {
    clamd: &'c Clamd,
    session: Session,
}

impl FileScan for Instream<'_> {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        for part in bytes.chunks(1 << 20) {
            let length = u32::try_from(part.len()).unwrap_or(0).to_be_bytes();
            let sent =
                self.session.stream.write_all(&length).and_then(|()| self.session.stream.write_all(part));
            // It may have told why before it closed.
            sent.map_err(|error| answer(&mut *self.session.stream).unwrap_or_else(|_| error.to_string()))?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<Vec<String>, String> {
        self.session.stream.write_all(&[0; 4]).map_err(|error| error.to_string())?;
        let text = answer(&mut *self.session.stream)?;
        let found = read_answer(&text, self.session.requests)?;
        // Only a connection that answered clearly is used again.
        self.clamd.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.session);
        Ok(found)
    }
}

/// `4: stream: OK` or `4: stream: Name FOUND`, for the request of that number.
fn read_answer(text: &str, request: u64) -> Result<Vec<String>, String> {
    let unclear = || format!("clamd answered {:?}", text.chars().take(200).collect::<String>());
    let rest = text.strip_prefix(&format!("{request}: stream: ")).ok_or_else(unclear)?;
    if rest == "OK" {
        return Ok(Vec::new());
    }
    let name = rest.strip_suffix(" FOUND").filter(|name| !name.is_empty() && !name.contains(['\n', '\r']));
    match name {
        // Limits that were met are told as findings by some configurations; what was not scanned is not bad.
        Some(name) if name.starts_with("Heuristics.Limits.Exceeded") => Err(unclear()),
        Some(name) => Ok(vec![name.to_owned()]),
        None => Err(unclear()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clear_answers_are_answers() {
        assert_eq!(read_answer("1: stream: OK", 1), Ok(Vec::new()));
        assert_eq!(
            read_answer("2: stream: Eicar-Signature FOUND", 2),
            Ok(vec!["Eicar-Signature".to_owned()])
        );
        for text in [
            "1: stream: OK ",
            "2: stream: OK",
            "stream: OK",
            "1: other: OK",
            "1: stream: FOUND",
            "1: stream: a\nb FOUND",
            "1: INSTREAM size limit exceeded. ERROR",
            "1: stream: Can't allocate memory ERROR",
            "1: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
            "",
        ] {
            let read = read_answer(text, 1);
            assert!(read.is_err(), "{text:?}: {read:?}");
        }
    }

    #[test]
    fn a_database_is_as_old_as_it_says() {
        let version = "ClamAV 1.4.6/27500/Mon Nov 23 09:12:01 2026";
        let day = |text: &str| Day::parse(text).expect("a date");
        let today = day("2026-11-26");
        assert_eq!(too_old(version, 7, today), None);
        assert_eq!(too_old(version, 0, day("2036-01-01")), None);
        assert!(too_old(version, 7, day("2026-12-06")).is_some_and(|why| why.contains("13 days")));
        assert!(too_old(version, 7, day("2026-10-27")).is_some_and(|why| why.contains("future")));
        assert!(too_old("ClamAV 1.4.6", 7, today).is_some(), "no database at all");
    }
}
