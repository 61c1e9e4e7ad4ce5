//! The little of QEMU's machine protocol that a boot test needs.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Bytes of one answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Events between a question and its answer.
const EVENTS_MAX: usize = 10_000;

/// A connection to a machine.
#[derive(Debug)]
pub(crate) struct Qmp {
    read: BufReader<UnixStream>,
    write: UnixStream,
}

impl Qmp {
    pub(crate) fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let write = UnixStream::connect(path)?;
        write.set_read_timeout(Some(patience))?;
        write.set_write_timeout(Some(patience))?;
        let mut out = Self { read: BufReader::new(write.try_clone()?), write };
        out.line()?;
        out.ask("qmp_capabilities", &json!({}))?;
        Ok(out)
    }

    fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if (&mut self.read).take(ANSWER_BYTES_MAX).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }

    /// Asks and waits for the answer; events are passed over.
    pub(crate) fn ask(&mut self, command: &str, arguments: &Value) -> io::Result<Value> {
        let text = json!({"execute": command, "arguments": arguments}).to_string();
        writeln!(self.write, "{text}")?;
        for _ in 0..EVENTS_MAX {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(format!("{command}: {error}")));
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
        Err(io::Error::other(format!("{command}: no answer")))
    }
}
