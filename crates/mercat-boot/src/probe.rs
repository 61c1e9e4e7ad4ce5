//! The probe: a script that the guest runs as root, and what it answers over the second serial port.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Listening sockets that are kept.
const PORTS_MAX: usize = 1000;
/// Lines of one part that are kept.
const LINES_MAX: usize = 400;

/// The script for a token that the guest cannot have known.
pub(crate) fn script(token: &str) -> String {
    include_str!("probe.sh").replace("@TOKEN@", token)
}

/// Transport of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a guest said about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Kernel command line.
    pub cmdline: String,
    /// Active swap areas, by device or file name.
    pub swaps: Vec<String>,
    /// Machine as `uname -m` names it.
    pub machine: String,
    /// Kernel release.
    pub kernel: String,
    /// Host name.
    pub hostname: String,
    /// Machine id; empty when there is none.
    pub machine_id: String,
    /// SHA-256 fingerprints of the SSH host keys, as OpenSSH writes them.
    pub host_keys: BTreeSet<String>,
    /// First line of `waagent --version`; empty when there is none.
    pub agent: String,
    /// Effective settings of sshd by lower-case name; the first value of each. Empty without sshd.
    pub sshd: BTreeMap<String, String>,
    /// Ports on which something listens for others than the guest itself.
    pub listening: BTreeSet<(u16, Transport)>,
    /// Kernel messages of level error and above.
    pub errors: Vec<String>,
}

/// Collects an answer as it comes.
#[derive(Debug)]
pub(crate) struct Answer {
    token: String,
    bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(token: &str) -> Self {
        Self { token: token.to_owned(), bytes: Vec::new() }
    }

    /// Takes more bytes; gives the probe once its end was seen.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Probe> {
        let room = ANSWER_BYTES_MAX.saturating_sub(self.bytes.len());
        let from = self.bytes.len().saturating_sub(self.token.len() + 8);
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let end = format!("{} end", self.token);
        let ended = self.bytes.get(from..)?.windows(end.len()).any(|window| window == end.as_bytes());
        ended.then(|| parse(&self.token, &String::from_utf8_lossy(&self.bytes)))
    }
}

/// Reads an answer; parts that are missing stay empty.
fn parse(token: &str, text: &str) -> Probe {
    let mut parts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        match line.strip_prefix(token) {
            Some(name) => current = name.trim(),
            None if line.trim().is_empty() => {}
            None => parts.entry(current).or_default().push(line),
        }
    }
    let lines = |name: &str| parts.get(name).map(Vec::as_slice).unwrap_or_default();
    let first = |name: &str| lines(name).first().map(|line| shortened(line.trim())).unwrap_or_default();
    let mut listening = BTreeSet::new();
    for (part, transport, state) in [
        ("tcp", Transport::Tcp, "0A"),
        ("tcp6", Transport::Tcp, "0A"),
        ("udp", Transport::Udp, "07"),
        ("udp6", Transport::Udp, "07"),
    ] {
        let ports = lines(part).iter().filter_map(|line| open_port(line, state));
        listening.extend(ports.map(|port| (port, transport)).take(PORTS_MAX));
    }
    Probe {
        cmdline: first("cmdline"),
        swaps: lines("swaps")
            .iter()
            .skip(1)
            .take(LINES_MAX)
            .filter_map(|line| line.split_whitespace().next())
            .map(shortened)
            .collect(),
        machine: first("machine"),
        kernel: first("kernel"),
        hostname: first("hostname"),
        machine_id: first("machine-id"),
        host_keys: lines("host-keys").iter().take(LINES_MAX).filter_map(|line| fingerprint(line)).collect(),
        agent: first("agent"),
        sshd: settings(lines("sshd")),
        listening,
        errors: lines("errors").iter().take(LINES_MAX).map(|line| shortened(line)).collect(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(2048).collect()
}

fn settings(lines: &[&str]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, value) in lines.iter().take(LINES_MAX).filter_map(|line| line.split_once(' ')) {
        out.entry(name.to_ascii_lowercase()).or_insert_with(|| shortened(value.trim()));
    }
    out
}

/// `SHA256:...` of a line of a public key file.
fn fingerprint(line: &str) -> Option<String> {
    let key = STANDARD.decode(line.split_whitespace().nth(1)?).ok()?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key))))
}

/// The port of a line of `/proc/net/{tcp,udp}{,6}`, when it is open to others: in the state that
/// waits for peers, without a peer, and not on a loopback address.
fn open_port(line: &str, state: &str) -> Option<u16> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, remote, is) = (fields.next()?, fields.next()?, fields.next()?);
    let (address, port) = local.rsplit_once(':')?;
    let (peer, _) = remote.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let waits = is == state && peer.bytes().all(|digit| digit == b'0') && port != 0;
    (waits && !loopback(address)).then_some(port)
}

/// Addresses are written as words of 32 bits, each in the guest's byte order (little-endian).
fn loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        32 => {
            address == "00000000000000000000000001000000"
                || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "mercat-0123";

    fn answer() -> String {
        let part = |name: &str, text: &str| format!("\n{TOKEN} {name}\n{text}");
        [
            part("begin", ""),
            part("cmdline", "root=/dev/vda1 console=ttyS0\n"),
            part("swaps", "Filename\tType\tSize\n/dev/vda2\tpartition\t1\n"),
            part("machine", "x86_64\n"),
            part("machine-id", "abc\n"),
            part("host-keys", "ssh-ed25519 aGVsbG8= root@box\nnot a key\n"),
            part("sshd", "clientaliveinterval 180\nport 22\nport 2222\n"),
            part("tcp", "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n   1: 0100007F:0277 00000000:0000 0A 0\n   2: 0F02000A:0050 0202000A:9999 01 0\n"),
            part("tcp6", "  sl\n   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0\n   1: 00000000000000000000000001000000:0019 00000000000000000000000000000000:0000 0A\n"),
            part("udp", "   0: 00000000:0044 00000000:0000 07 0\n   0: 0100007F:0143 00000000:0000 07 0\n"),
            part("end", ""),
        ]
        .concat()
    }

    #[test]
    fn an_answer_is_read_wherever_it_is_cut() {
        let text = answer();
        let whole = Answer::new(TOKEN).push(text.as_bytes()).expect("ends");
        assert_eq!(whole.cmdline, "root=/dev/vda1 console=ttyS0");
        assert_eq!(whole.swaps, ["/dev/vda2"]);
        assert_eq!(whole.sshd.get("port").map(String::as_str), Some("22"));
        assert_eq!(
            whole.host_keys.iter().collect::<Vec<_>>(),
            ["SHA256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"]
        );
        for at in 0..text.len() {
            let mut parts = Answer::new(TOKEN);
            let first = parts.push(&text.as_bytes()[..at]);
            assert_eq!(
                first.or_else(|| parts.push(&text.as_bytes()[at..])).as_ref(),
                Some(&whole),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn only_ports_that_others_can_reach_are_listening() {
        let probe = Answer::new(TOKEN).push(answer().as_bytes()).expect("ends");
        let expected = BTreeSet::from([(22, Transport::Tcp), (8080, Transport::Tcp), (68, Transport::Udp)]);
        assert_eq!(probe.listening, expected);
        assert!(loopback("0000000000000000FFFF00000100007F"));
    }

    #[test]
    fn an_answer_with_another_token_is_none() {
        assert_eq!(Answer::new("mercat-other").push(answer().as_bytes()), None);
    }

    #[test]
    fn an_answer_without_end_costs_no_memory() {
        let mut parts = Answer::new(TOKEN);
        for _ in 0..2000 {
            assert_eq!(parts.push(&[b'x'; 1000]), None);
        }
        assert!(parts.bytes.len() <= ANSWER_BYTES_MAX);
    }

    #[test]
    fn the_script_carries_its_token_everywhere() {
        let script = script(TOKEN);
        assert!(
            script.contains("mercat-0123 $1")
                && script.contains("reboot-mercat-0123")
                && !script.contains('@')
        );
    }
}
