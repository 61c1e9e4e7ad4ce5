//! What an image tries to reach while it is started (CTR-31).
//!
//! Its network has a loopback interface and nothing else, and every address there is leads to that (`ip route add local
//! 0.0.0.0/0 dev lo`). So whatever it sends stays in its own namespace, is refused at once, and passes a socket which a
//! child of ours listens on: who was called, and for which names it asked.

use crate::confine::{self, Limits, Paths};
use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, eth, netlink, recv, sendto, socket_with,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Calls that are told.
const CALLS_MAX: usize = 50;
/// Conversations that are remembered, to know an answer from a call.
const FLOWS_MAX: usize = 10_000;
/// The child writes into this file, in the place of a test, where the image does not reach.
const FILE: &str = "heard";
/// How the child ends its file when it has seen all.
const END: &str = ".";
/// How it says that there was more than it tells.
const MORE: &str = "+";
/// How long nothing is heard before the child looks whether the image is gone.
const QUIET: Duration = Duration::from_millis(20);
/// How long the child may take to read what is waiting when the image is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// So many packets come faster than they can be listened to: some may have been missed.
const PACKETS_MAX: u64 = 10_000;
/// Bytes of a packet on the loopback interface, at most.
const PACKET_BYTES_MAX: usize = 66_000;

/// What an image tried to reach over the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Each once: `TCP 192.0.2.1:443`, `UDP 192.0.2.1:123`, `ICMP 192.0.2.1`, `DNS example.com` (of a
    /// resolver in the image) or `DNS example.com at 192.0.2.53`; at most 50.
    pub made: BTreeSet<String>,
    /// Whether there were more, or there may have been: nobody listens as fast as some can send.
    pub more: bool,
}

/// Gives this process, which is alone in a network namespace, a loopback interface that leads everywhere.
pub(super) fn lead_everything_here() -> io::Result<()> {
    // Protocol 0 of this family is NETLINK_ROUTE.
    let route = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    ask(&route, &up())?;
    ask(&route, &all_is_local(AddressFamily::INET.as_raw() as u8, SCOPE_HOST))?;
    // Of a kernel without IPv6 nobody calls anything there.
    let _ = ask(&route, &all_is_local(AddressFamily::INET6.as_raw() as u8, 0));
    // As container engines do: port 80 is for everybody. An older kernel has no such setting.
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    Ok(())
}

// rtnetlink(7), linux/rtnetlink.h
const NEW_LINK: u16 = 16;
const NEW_ROUTE: u16 = 24;
const SCOPE_HOST: u8 = 254;
/// The index of the loopback interface, which is the first in every namespace.
const LOOPBACK: u32 = 1;

/// Brings the loopback interface up (`ifinfomsg`).
fn up() -> Vec<u8> {
    let up = 1_u32;
    let head = [0_u8; 4];
    request(NEW_LINK, &[&head[..], &LOOPBACK.to_ne_bytes(), &up.to_ne_bytes(), &up.to_ne_bytes()].concat())
}

/// Makes every address one of this machine's (`rtmsg`, and one attribute).
fn all_is_local(family: u8, scope: u8) -> Vec<u8> {
    // RT_TABLE_LOCAL, RTPROT_STATIC, RTN_LOCAL; RTA_OIF
    let (table, by, kind) = (255, 4, 2);
    let (attribute_bytes, interface) = (8_u16, 4_u16);
    let head = [family, 0, 0, 0, table, by, scope, kind, 0, 0, 0, 0];
    let attribute =
        [&attribute_bytes.to_ne_bytes()[..], &interface.to_ne_bytes(), &LOOPBACK.to_ne_bytes()].concat();
    request(NEW_ROUTE, &[&head[..], &attribute].concat())
}

/// A message with its head (`nlmsghdr`), that wants an answer.
fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    // NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE
    let flags: u16 = 1 | 4 | 0x400;
    let length = 16 + body.len() as u32;
    let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
    [head, body.to_vec()].concat()
}

fn ask(route: &OwnedFd, message: &[u8]) -> io::Result<()> {
    sendto(route, message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 1024];
    let (_, length) = recv(route, &mut answer, RecvFlags::empty())?;
    // `nlmsgerr`: behind the head, zero or a negated error number.
    let code = answer.get(16..20).filter(|_| length >= 20).and_then(|code| code.try_into().ok());
    match code.map_or(-Errno::PROTO.raw_os_error(), i32::from_ne_bytes) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// Starts the child that listens in this network until its parent, this process, is gone. The first argument of the
/// program must be what leads to [`listen`].
pub(super) fn listener(place: &Path, arguments: &[&str]) -> io::Result<()> {
    // What an earlier listener heard goes away, whatever becomes of this one.
    let out = File::create(place.join(FILE))?;
    let packets =
        socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(eth::ALL))?;
    // Not by its path: who has become nobody may not reach that.
    let child = Command::new("/proc/self/exe")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::from(packets))
        .stdout(Stdio::from(out))
        .stderr(Stdio::null())
        .spawn()?;
    drop(child);
    Ok(())
}

/// Waits until the listener has seen all, and reads what it heard; `None` where none did.
pub(super) fn heard(place: &Path) -> Option<Calls> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(place.join(FILE)).ok()?;
        let mut calls = Calls::default();
        let mut ended = false;
        for line in text.lines() {
            match line {
                END => ended = true,
                MORE => calls.more = true,
                call => drop(calls.made.insert(call.to_owned())),
            }
        }
        if ended {
            return Some(calls);
        }
        // Half of what was tried would read like all of it.
        if begun.elapsed() > LAST_WORDS {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The child's life: packets come from standard input, and what they say goes to standard output, a line a call.
pub(super) fn listen(parent: Option<i32>) -> Result<(), String> {
    // Below those that this process has already, which cannot be raised.
    let limits = Limits { memory_bytes: 1 << 30, cpu_secs: 10, files: 16, file_bytes: 1 << 20 };
    confine::confine(&Paths::default(), &limits)?;
    let packets = io::stdin();
    set_socket_timeout(&packets, Timeout::Recv, Some(QUIET)).map_err(|error| error.to_string())?;
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    let mut ear = Ear::default();
    let mut out = io::stdout();
    let mut tell =
        |line: &str| writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string());
    let mut count: u64 = 0;
    loop {
        match recv(&packets, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, length)) => {
                count += 1;
                if count == PACKETS_MAX {
                    tell(MORE)?;
                }
                let said = ear.hear(&buffer[..length.min(PACKET_BYTES_MAX)]);
                said.iter().try_for_each(|line| tell(line))?;
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if confine::parent_id() == parent => {}
            // Nothing waits, and nobody is left who could send.
            Err(Errno::AGAIN) => return tell(END),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Who listens to the packets of an image.
#[derive(Debug, Default)]
pub struct Ear {
    calls: BTreeSet<String>,
    /// From whom to whom.
    flows: BTreeSet<(SocketAddr, SocketAddr)>,
    full: bool,
}

impl Ear {
    /// What a packet (IPv4 or IPv6, from its header on) says that was not known: a line of [`Calls::made`], or `+` once
    /// when there is more than is told.
    pub fn hear(&mut self, packet: &[u8]) -> Option<String> {
        let call = self.call(packet)?;
        if self.full || self.calls.contains(&call) {
            return None;
        }
        if self.calls.len() == CALLS_MAX {
            self.full = true;
            return Some(MORE.to_owned());
        }
        self.calls.insert(call.clone());
        Some(call)
    }

    fn call(&mut self, packet: &[u8]) -> Option<String> {
        let packet = LaxSlicedPacket::from_ip(packet).ok()?;
        let (from, to, protocol) = match packet.net? {
            LaxNetSlice::Ipv4(ip) => {
                let head = ip.header();
                (IpAddr::V4(head.source_addr()), IpAddr::V4(head.destination_addr()), head.protocol())
            }
            LaxNetSlice::Ipv6(ip) => {
                let head = ip.header();
                (IpAddr::V6(head.source_addr()), IpAddr::V6(head.destination_addr()), head.next_header())
            }
            _ => return None,
        };
        match packet.transport {
            Some(TransportSlice::Tcp(tcp)) if tcp.syn() && !tcp.ack() => {
                let to = SocketAddr::new(to, tcp.destination_port());
                (!to.ip().is_loopback()).then(|| format!("TCP {to}"))
            }
            Some(TransportSlice::Udp(udp)) => {
                let (from, to) =
                    (SocketAddr::new(from, udp.source_port()), SocketAddr::new(to, udp.destination_port()));
                if to.port() == 53
                    && let Some(name) = name_asked(udp.payload())
                {
                    let whom = if to.ip().is_loopback() { String::new() } else { format!(" at {}", to.ip()) };
                    return Some(format!("DNS {name}{whom}"));
                }
                let answer = self.flows.contains(&(to, from));
                if !to.ip().is_loopback() && self.flows.len() < FLOWS_MAX {
                    self.flows.insert((from, to));
                }
                (!answer && !to.ip().is_loopback()).then(|| format!("UDP {to}"))
            }
            // Echo requests; the others are the kernel's.
            Some(TransportSlice::Icmpv4(icmp)) if icmp.type_u8() == 8 => asked(to, "ICMP"),
            Some(TransportSlice::Icmpv6(icmp)) if icmp.type_u8() == 128 => asked(to, "ICMP"),
            Some(_) => None,
            None if [IpNumber::TCP, IpNumber::UDP, IpNumber::ICMP, IpNumber::IPV6_ICMP]
                .contains(&protocol) =>
            {
                None
            }
            None => asked(to, &format!("IP protocol {}", protocol.0)),
        }
    }
}

fn asked(to: IpAddr, how: &str) -> Option<String> {
    (!to.is_loopback()).then(|| format!("{how} {to}"))
}

/// The name that a query is about (RFC 1035, 4.1), in small letters; what is no letter of host names is `?`.
fn name_asked(query: &[u8]) -> Option<String> {
    let (head, mut rest) = query.split_at_checked(12)?;
    let (is_query, questions) = (head[2] & 0xf8 == 0, u16::from_be_bytes([head[4], head[5]]));
    if !is_query || questions == 0 {
        return None;
    }
    let mut name = String::new();
    loop {
        let (length, behind) = rest.split_first()?;
        match *length {
            0 => break,
            1..=63 => {
                let (label, behind) = behind.split_at_checked(usize::from(*length))?;
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if !name.is_empty() {
                    name.push('.');
                }
                name.extend(
                    label.iter().map(|b| if plain(b) { char::from(b.to_ascii_lowercase()) } else { '?' }),
                );
                rest = behind;
            }
            // No question begins with a reference to what stands before it.
            _ => return None,
        }
        if name.len() > 253 {
            return None;
        }
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn packet(builder: etherparse::PacketBuilderStep<etherparse::UdpHeader>, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        builder.write(&mut out, payload).expect("written");
        out
    }

    fn tcp(to: [u8; 4], syn: bool) -> Vec<u8> {
        let builder = PacketBuilder::ipv4([192, 0, 2, 9], to, 64).tcp(40_000, 443, 1, 1024);
        let builder = if syn { builder.syn() } else { builder.rst() };
        let mut out = Vec::new();
        builder.write(&mut out, &[]).expect("written");
        out
    }

    #[test]
    fn calls_are_told_once_and_answers_and_the_loopback_address_are_not() {
        let mut ear = Ear::default();
        assert_eq!(ear.hear(&tcp([192, 0, 2, 1], true)).as_deref(), Some("TCP 192.0.2.1:443"));
        assert_eq!(ear.hear(&tcp([192, 0, 2, 1], true)), None);
        assert_eq!(ear.hear(&tcp([192, 0, 2, 1], false)), None);
        assert_eq!(ear.hear(&tcp([127, 0, 0, 1], true)), None);
        let udp = |from: ([u8; 4], u16), to: ([u8; 4], u16)| {
            packet(PacketBuilder::ipv4(from.0, to.0, 64).udp(from.1, to.1), b"hello")
        };
        let (one, other) = (([192, 0, 2, 1], 123), ([192, 0, 2, 7], 40_000));
        assert_eq!(ear.hear(&udp(other, one)).as_deref(), Some("UDP 192.0.2.1:123"));
        assert_eq!(ear.hear(&udp(one, other)), None, "an answer");
        let six = packet(PacketBuilder::ipv6([1; 16], [0x20; 16], 64).udp(5, 9), b"x");
        assert_eq!(ear.hear(&six).as_deref(), Some("UDP [2020:2020:2020:2020:2020:2020:2020:2020]:9"));
        for broken in [&b""[..], b"\x45", &[0x41; 20], &[0xff; 100], &tcp([192, 0, 2, 1], true)[..30]] {
            assert_eq!(ear.hear(broken), None, "{broken:x?}");
        }
    }

    #[test]
    fn more_calls_than_are_told_are_one_line() {
        let mut ear = Ear::default();
        let said: Vec<_> = (0..=255).filter_map(|last| ear.hear(&tcp([192, 0, 2, last], true))).collect();
        assert_eq!(said.len(), CALLS_MAX + 1);
        assert_eq!(said.last().map(String::as_str), Some(MORE));
    }

    #[test]
    fn names_are_read_from_questions_alone() {
        let query = |flags: u8, labels: &[u8]| {
            [&[0, 1, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0], labels, &[0, 1, 0, 1]].concat()
        };
        assert_eq!(name_asked(&query(1, b"\x02DB\x07example\0")).as_deref(), Some("db.example"));
        assert_eq!(name_asked(&query(1, b"\x03a\nb\0")).as_deref(), Some("a?b"));
        let long = [&[63][..], &[b'a'; 63]].concat().repeat(5);
        let bad: [&[u8]; 5] = [b"\0", b"\xc0\x0c", b"\x3fa", &long, b""];
        assert!(bad.iter().all(|labels| name_asked(&query(1, labels)).is_none()));
        assert_eq!(name_asked(&query(0x80, b"\x01a\0")), None, "an answer");
    }
}
