//! How Linux starts a file: by its first line, or by what an ELF program says of itself.

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};
use serde::{Deserialize, Serialize};

/// The bytes of a script that Linux reads for its interpreter (`BINPRM_BUF_SIZE`).
const FIRST_LINE_BYTES: usize = 256;

/// The bytes of a path (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// What a file needs to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// A script: the program of its first line, and what that gets as one word.
    Script {
        /// As written, which may end in a carriage return.
        interpreter: String,
        /// Empty where there is none.
        argument: String,
    },
    /// An ELF program.
    Elf {
        /// `e_machine`.
        machine: u16,
        /// The path of the loader (`PT_INTERP`); empty where it needs none.
        loader: String,
    },
    /// Neither: text without the line that names an interpreter, or no byte at all. Shells take the first for a script.
    Text,
}

impl Start {
    /// Reads the first bytes of a file; nothing where they do not tell, as where something else may be registered for them.
    pub fn of(head: &[u8]) -> Option<Self> {
        if let Some(line) = head.strip_prefix(b"#!") {
            let line = &line[..line.len().min(FIRST_LINE_BYTES - 2)];
            let end = line.iter().position(|byte| *byte == b'\n')?;
            let line = str::from_utf8(&line[..end]).ok()?.trim_matches([' ', '\t']);
            let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let argument = argument.trim_start_matches([' ', '\t']);
            return Some(Self::Script { interpreter: interpreter.to_owned(), argument: argument.to_owned() });
        }
        match FileKind::parse(head) {
            Ok(FileKind::Elf64) => of_elf::<elf::FileHeader64<Endianness>>(head),
            Ok(FileKind::Elf32) => of_elf::<elf::FileHeader32<Endianness>>(head),
            _ => is_text(head).then_some(Self::Text),
        }
    }
}

/// Whether it begins with letters and signs alone, or ends at once.
fn is_text(head: &[u8]) -> bool {
    let mut head = head.iter().take(FIRST_LINE_BYTES);
    head.all(|byte| matches!(byte, b'\n' | b'\t' | b'\r') || *byte >= b' ' && *byte != 0x7f)
}

fn of_elf<E: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<Start> {
    let header = E::parse(head).ok()?;
    let endian = header.endian().ok()?;
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(endian)) {
        return None;
    }
    let segments = header.program_headers(endian, head).ok()?;
    let loader = match segments.iter().find(|segment| segment.p_type(endian) == elf::PT_INTERP) {
        None => String::new(),
        Some(segment) => {
            let bytes = segment.data(endian, head).ok()?;
            let end = bytes.iter().take(PATH_BYTES_MAX).position(|byte| *byte == 0)?;
            str::from_utf8(&bytes[..end]).ok()?.to_owned()
        }
    };
    Some(Start::Elf { machine: header.e_machine(endian).0, loader })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(head: &[u8]) -> Option<(String, String)> {
        match Start::of(head)? {
            Start::Script { interpreter, argument } => Some((interpreter, argument)),
            Start::Elf { .. } | Start::Text => None,
        }
    }

    #[test]
    fn scripts_tell_their_interpreter_and_its_one_word() {
        let of = |interpreter: &str, argument: &str| Some((interpreter.to_owned(), argument.to_owned()));
        assert_eq!(script(b"#!/bin/sh\nexit\n"), of("/bin/sh", ""));
        assert_eq!(script(b"#! \t/usr/bin/env  bash -e \n"), of("/usr/bin/env", "bash -e"));
        assert_eq!(script(b"#!/bin/sh\r\n"), of("/bin/sh\r", ""));
        assert_eq!(script(b"#!/bin/sh"), None, "its line may go on");
        assert_eq!(script(&[b"#!".as_slice(), &[b'a'; 300], b"\n"].concat()), None);
        for text in [b"exit\n".as_slice(), b"", "\u{e9}cho\r\n".as_bytes()] {
            assert_eq!(Start::of(text), Some(Start::Text));
        }
        for other in [b"\xca\xfe\xba\xbe\0\0\0\x34".as_slice(), b"MZ\0", b"\0asm"] {
            assert_eq!(Start::of(other), None);
        }
    }

    #[test]
    fn programs_tell_their_machine_and_loader() {
        let mut elf = vec![0; 64 + 56];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (elf[16], elf[18], elf[20], elf[32], elf[52], elf[54], elf[56]) = (2, 62, 1, 64, 64, 56, 1);
        let of = |loader: &str| Some(Start::Elf { machine: elf::EM_X86_64.0, loader: loader.to_owned() });
        assert_eq!(Start::of(&elf), of(""));
        let loader = b"/lib64/ld-linux-x86-64.so.2\0";
        elf[64] = 3;
        elf[64 + 8] = 120;
        elf[64 + 32] = u8::try_from(loader.len()).expect("short");
        assert_eq!(Start::of(&elf), None, "the loader is not in the head");
        elf.extend(loader);
        assert_eq!(Start::of(&elf), of("/lib64/ld-linux-x86-64.so.2"));
        elf[16] = 1;
        assert_eq!(Start::of(&elf), None, "an object of a compiler");
    }
}
