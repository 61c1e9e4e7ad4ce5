//! Whether everything that is observed has Japanese: the sources of the crates that look at artifacts are read.

use super::{FIXES, Locale, OBSERVATIONS, observed, requirement};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A source without comments and blanks.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Code(char),
    /// A text between quotation marks.
    Text(String),
}

fn tokens(source: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let letters: Vec<char> = source.chars().collect();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        at += 1;
        let next = letters.get(at).copied();
        match letter {
            '/' if next == Some('/') => at += letters[at..].iter().take_while(|c| **c != '\n').count(),
            '\'' if next == Some('\\') => {
                at += 2 + letters[at + 2..].iter().take_while(|c| **c != '\'').count() + 1
            }
            '\'' if letters.get(at + 1) == Some(&'\'') => at += 2,
            'r' if next == Some('"') || next == Some('#') && letters.get(at + 1) == Some(&'"') => {
                // No text for people is written so.
                let end: &[char] = if next == Some('#') { &['"', '#'] } else { &['"'] };
                at += end.len();
                at += letters[at..].windows(end.len()).take_while(|window| *window != end).count();
                at += end.len();
            }
            '"' => {
                let of_bytes = out.last() == Some(&Token::Code('b'));
                let mut text = String::new();
                while letters.get(at).is_some_and(|c| *c != '"') {
                    match (letters[at], letters.get(at + 1)) {
                        ('\\', Some('\n')) => {
                            at += 2;
                            at += letters[at..].iter().take_while(|c| c.is_whitespace()).count();
                            continue;
                        }
                        ('\\', Some(escaped)) => {
                            text.push(*escaped);
                            at += 1;
                        }
                        (letter, _) => text.push(letter),
                    }
                    at += 1;
                }
                at += 1;
                out.push(if of_bytes { Token::Code('"') } else { Token::Text(text) });
            }
            letter if letter.is_whitespace() => {}
            letter => out.push(Token::Code(letter)),
        }
    }
    out
}

/// What stands behind every place where some code is: up to the end of the arguments, of the field or of the statement.
fn behind<'t>(tokens: &'t [Token], code: &str) -> Vec<&'t [Token]> {
    let code: Vec<Token> = code.chars().map(Token::Code).collect();
    let ends = |rest: &[Token], closes: &[char], ends: &[char]| {
        let mut depth = 0_i32;
        rest.iter().position(|token| match token {
            Token::Code('(' | '[' | '{') => {
                depth += 1;
                false
            }
            Token::Code(letter) if depth == 0 && (closes.contains(letter) || ends.contains(letter)) => true,
            Token::Code(')' | ']' | '}') => {
                depth -= 1;
                false
            }
            _ => false,
        })
    };
    let places = tokens.windows(code.len()).enumerate().filter(|(_, window)| *window == code);
    let rests = places.map(|(at, _)| &tokens[at + code.len()..]);
    let stops: &[char] = match code.last() {
        Some(Token::Code('(')) => &[],
        Some(Token::Code(':')) => &[','],
        _ => &[';'],
    };
    rests.map(|rest| &rest[..ends(rest, &[')', '}'], stops).unwrap_or(0)]).collect()
}

/// The arguments of a call.
fn arguments(call: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    call.split(|token| {
        match token {
            Token::Code('(' | '[' | '{') => depth += 1,
            Token::Code(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Code(',')
    })
    .filter(|argument| !argument.is_empty())
    .collect()
}

/// Texts that are words for people, with `7` for what is filled in.
fn words(tokens: &[Token]) -> Vec<String> {
    let texts = tokens.iter().enumerate().filter_map(|(at, token)| match token {
        Token::Text(text) => Some((&tokens[..at], text)),
        Token::Code(_) => None,
    });
    // Of what must be there the reason is told to nobody but us.
    let is_for_us = |before: &[Token]| {
        ["expect(", "reason="].iter().any(|word| {
            let word: Vec<Token> = word.chars().map(Token::Code).collect();
            before.ends_with(&word)
        })
    };
    let filled = |text: &String| {
        let mut parts = text.split('{');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |filled, part| match part.split_once('}') {
            Some((name, rest)) if name.ends_with(":?") && !name.contains('#') => filled + "\"7\"" + rest,
            Some((_, rest)) => filled + "7" + rest,
            None => filled + part,
        })
    };
    let is_word = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let reads = |text: &str| text.contains(' ') && text.split([' ', ':', ',', ';']).any(is_word);
    texts
        .filter(|(before, _)| !is_for_us(before))
        .map(|(_, text)| filled(text))
        .filter(|text| reads(text) && !text.starts_with(' '))
        .collect()
}

/// The sources of a crate, without their tests.
fn sources(room: &str) -> Vec<(PathBuf, Vec<Token>)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut open = vec![crates.join(format!("mercat-{room}/src"))];
    let mut out = Vec::new();
    while let Some(path) = open.pop() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "tests" {
            let entries = std::fs::read_dir(&path).expect("a directory");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let source = std::fs::read_to_string(&path).expect("text");
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            out.push((path, tokens(source)));
        }
    }
    out
}

/// Whether the table has a text within others, whatever is filled in: parts are told as a whole.
fn is_part(text: &str) -> bool {
    let text = text.replace("\"7\"", "7");
    OBSERVATIONS.0.iter().any(|(pattern, _)| {
        let rest =
            text.split('7').try_fold(*pattern, |rest, piece| rest.split_once(piece).map(|(_, rest)| rest));
        rest.is_some()
    })
}

/// Asserts that texts have Japanese, of which `least` are expected.
fn have_japanese(texts: &BTreeSet<String>, least: usize) {
    let is_told = |text: &str| observed(Locale::Ja, text) != text || is_part(text);
    let missing: Vec<&String> = texts.iter().filter(|text| !is_told(text)).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(texts.len() >= least, "{} are read", texts.len());
}

/// What readers of formats refuse, which are nearly all the texts that they have.
#[test]
fn what_readers_refuse_has_japanese() {
    // The same in both languages, or no words for people.
    const OTHERS: [&str; 10] = [
        "vhdx page 83",
        "HostConfig.7 = host",
        "compress (.Z)",
        "deflate: 7",
        "zstd: 7",
        "zfs member",
        "VMFS member",
        "vhd unique id",
        "vhdx data write",
        "vhdx file write",
    ];
    let mut texts = BTreeSet::new();
    for room in ["artifact", "disk", "guest", "inventory"] {
        for (path, source) in sources(room) {
            // No finding tells what those codes mean, and what contradicts a release is nowhere in a file.
            if !path.ends_with("mercat-guest/src/codes.rs") && !path.ends_with("pkgdb/release.rs") {
                texts.extend(words(&source).into_iter().filter(|text| !OTHERS.contains(&text.as_str())));
            }
        }
    }
    have_japanese(&texts, 900);
    for text in texts {
        let placed = observed(Locale::Ja, &format!("{text}, at byte 7"));
        assert_eq!(placed, observed(Locale::Ja, &text) + " (バイト位置 7)");
    }
}

/// What is seen by those who judge: in which argument of what they call, counted from the end, and in what they assign.
#[test]
fn what_judges_observe_has_japanese() {
    const CALLS: [(&str, usize); 40] = [
        ("Outcome::passed(", 2),
        ("Outcome::found(", 2),
        ("Outcome::advice(", 2),
        ("Outcome::elsewhere(", 2),
        ("Outcome::inconclusive(", 2),
        ("Outcome::judged(", 2),
        ("Outcome::not_applicable(", 1),
        (".judge(", 2),
        ("aults.at(", 1),
        ("aults.add(", 1),
        ("aults.advise(", 1),
        ("(fault(", 1),
        ("..fault(", 1),
        ("doubt(", 1),
        ("unopened(", 1),
        ("Note::new(", 3),
        (".add(", 3),
        ("layer_finding(", 2),
        ("report(", 3),
        ("=finding(", 3),
        ("(finding(", 3),
        ("#[error(", 1),
        ("Err(", 1),
        ("Some(", 1),
        ("wrong(", 1),
        ("VexError::Statement{", 1),
        ("SnapshotError::Damaged{", 1),
        ("Stop::Failed(", 1),
        ("Stop::NotRun(", 1),
        ("Tried::Silent(", 1),
        ("ended(", 1),
        ("lies(", 1),
        ("Ended(", 1),
        ("Line::Failed(", 1),
        ("deny(", 1),
        ("Broken(", 1),
        ("Unreadable(", 1),
        ("SourceError::Denied(", 1),
        ("missing.push(", 1),
        ("lacking.push(", 1),
    ];
    const FIELDS: [&str; 7] =
        ["observed:", "letobserved=", "letwhat=", "letwhy=", "why:", "what:", "observed.push_str("];
    // What is required, what is told to operators only, and what is the same in both languages.
    const OTHERS: [&str; 26] = [
        "0, 1, 2 and so on, at most 7, as many as in the version before",
        "7 has the digest 7, 7",
        "7: 7 (\"7\") in 7 7",
        "Defaults targetpw",
        "a note was lost",
        "a plain file that can be read",
        "a report of the scanner",
        "an upload of this publisher",
        "an upload of this publisher that is complete",
        "an upload that exists",
        "an upload that is complete",
        "file systems that are read here: ext2, ext3, ext4, XFS, FAT, NTFS, ISO 9660, squashfs",
        "hash signature line 7: 7",
        "no file has the digest 7, which certification.pins names; put it back",
        "nobody waits for it any more",
        "nothing to do for the publisher: the operator of this server must look into it",
        "the YARA rules do not compile: 7",
        "the bytes named by the digest and size of the descriptor",
        "the compiled signatures are not usable: 7",
        "the eligibility policy is not usable",
        "the image changed while it was stored; it is read again from its beginning",
        "the policy pack is not usable",
        "the verdict cannot be read",
        "what is known about 7",
        "use file systems that are read here, without encryption: what nobody can read is not certified",
        "which certification.pins does not name; add it when the file is the one you mean",
    ];
    // Of some crates only a part ends in what is observed.
    const ROOMS: [(&str, &[&str]); 10] = [
        ("certify", &["src/"]),
        ("machine", &["src/"]),
        ("boot", &["src/"]),
        ("listing", &["src/"]),
        ("eligibility", &["src/lib.rs"]),
        ("advisories", &["/snapshot", "/vex", "/versions"]),
        ("worker", &["/steps/", "/sandbox", "/scanners", "/inspect", "/clamd", "/decode", "/resolve"]),
        ("depot", &["/source", "/import", "/resolve"]),
        ("egress", &["src/lib.rs"]),
        ("courier", &["/lead"]),
    ];
    let mut texts = BTreeSet::new();
    let is_of = |path: &Path, parts: &[&str]| parts.iter().any(|part| path.to_string_lossy().contains(part));
    let read = ROOMS.iter().flat_map(|(room, parts)| {
        sources(room).into_iter().filter(|(path, _)| is_of(path, parts)).map(|(_, source)| source)
    });
    for source in read {
        for (call, from_end) in CALLS {
            for call in behind(&source, call) {
                let arguments = arguments(call);
                let one = arguments.len().checked_sub(from_end).and_then(|at| arguments.get(at));
                texts.extend(one.into_iter().flat_map(|one| words(one)));
            }
        }
        texts.extend(FIELDS.iter().flat_map(|field| behind(&source, field)).flat_map(words));
    }
    texts.retain(|text| !OTHERS.contains(&text.as_str()));
    have_japanese(&texts, 400);
}

/// What the rules about disks require: they are too many to have words each.
#[test]
fn what_rules_about_disks_require_has_japanese() {
    const CALLS: [&str; 8] = [
        "Outcome::passed(",
        "Outcome::found(",
        "Outcome::advice(",
        "Outcome::inconclusive(",
        "Outcome::judged(",
        "Outcome::boot_only(",
        "aults.judge(",
        "out.push(finding(",
    ];
    let mut texts = BTreeSet::new();
    for (_, source) in ["machine", "boot"].into_iter().flat_map(sources) {
        let calls = CALLS.iter().flat_map(|call| behind(&source, call));
        texts.extend(calls.filter_map(|call| arguments(call).last().copied()).flat_map(words));
        texts.extend(behind(&source, "letrequired=").into_iter().flat_map(words));
    }
    // Its end is one of two.
    texts.remove("guest agent 7 or newer, or one that updates itself7");
    let missing: Vec<&String> = texts.iter().filter(|text| requirement(Locale::Ja, text) == **text).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(texts.len() >= 50, "{} are read", texts.len());
}

/// The kinds of credentials: each is told with the beginning of what was found.
#[test]
fn kinds_of_credentials_have_japanese() {
    let mut kinds = BTreeSet::new();
    for (_, source) in sources("secrets") {
        for call in ["named(", "token(", "written("].iter().flat_map(|call| behind(&source, call)) {
            kinds.extend(match call.first() {
                Some(Token::Text(kind)) => Some(kind.clone()),
                _ => None,
            });
        }
    }
    assert!(kinds.len() > 200, "{} are read", kinds.len());
    // Those are nothing but names.
    for name in ["JSON Web Token", "Kubernetes Secret", "Cloudinary URL"] {
        assert!(kinds.remove(name), "{name}");
    }
    let told = |kind: &str| observed(Locale::Ja, &format!("{kind}: abcd… (40 characters)"));
    let same = kinds.iter().filter(|kind| told(kind).starts_with(kind.as_str()));
    assert_eq!(same.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// What the installation page names and says of it.
#[test]
fn what_doctor_examines_has_japanese() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mercat/src/doctor.rs");
    let tokens = tokens(&std::fs::read_to_string(source).expect("text"));
    let first = |call: &str| -> BTreeSet<String> {
        let texts = behind(&tokens, call).into_iter().filter_map(|given| match given.first() {
            Some(Token::Text(text)) => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    };
    let mut names = first("push((");
    assert!(names.len() >= 12, "{names:?}");
    // Only the command line, which is in English, asks whether its port is free.
    assert!(names.remove("listen"));
    let key = |name: &String| format!("health-{}", name.replace(' ', "-"));
    for locale in [Locale::En, Locale::Ja] {
        let missing = names.iter().filter(|name| super::text(locale, &key(name), &[]) == key(name));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "{locale:?}");
    }
    let said: BTreeSet<String> =
        ["Health::Good(", "Health::Note(", "Health::Bad("].iter().flat_map(|call| first(call)).collect();
    assert!(said.len() >= 5, "{said:?}");
    let same = said.iter().filter(|text| observed(Locale::Ja, text) == **text);
    assert_eq!(same.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Texts as they are put together, and words of others in them that only look like ours.
#[test]
fn what_was_seen_is_told_in_japanese() {
    for (english, japanese) in [
        ("no advisories for Debian:12", "Debian:12 の脆弱性情報がありません"),
        (
            "private key: MEUC… (98 characters), and 9 more in it",
            "秘密鍵: MEUC… (98 文字)、同じファイルにほか 9 件",
        ),
        (
            "GitHub token: ghp_… (40 characters), as the package x installed it",
            "GitHub トークン: ghp_… (40 文字)、パッケージ x がインストールしたまま",
        ),
        ("CVE-2024-1 (high) in openssl 3.0.1; EPSS 0.10 %", "CVE-2024-1 (高): openssl 3.0.1; EPSS 0.10 %"),
        (
            "CVE-1, CVE-2 (critical) in a 1, which a list names and nothing shows installed; known to be exploited \
             since 2024-01-02, by ransomware too; EPSS 9.00 %; the publisher states, as \"A\": fixed: \"no LVM\"; and 2 \
             more statements",
            "CVE-1, CVE-2 (緊急): a 1 (一覧に名前があるだけで、インストールされた形跡はありません); 悪用の確認日 2024-01-02 \
             (ランサムウェアを含む); EPSS 9.00 %; 発行元の声明、名義 \"A\": fixed: \"no LVM\"; ほかに 2 件の声明",
        ),
        (
            "CVE-1 (low) in a 1; V claims fixed: it has no content; V claims affected",
            "CVE-1 (低): a 1; V の主張: fixed: it has no content; V の主張: affected",
        ),
        (
            "the archive cannot be read to its end (TAR-14: \"../x\" leaves the root, at byte 512)",
            "アーカイブを最後まで読み取れません (TAR-14: \"../x\" がルートの外に出ています (バイト位置 512))",
        ),
        (
            "no VHD footer in the last 512 bytes, at byte 7 (the last 512 bytes of the file are not a VHD footer)",
            "末尾の 512 バイトに VHD フッターがありません (バイト位置 7、ファイルの末尾 512 バイトが VHD フッターではありません)",
        ),
        ("a swap file and 2 more", "スワップ ファイル、ほか 2 件"),
        ("root has a password and 1 more", "root にパスワードがあります、ほか 1 件"),
        (
            "LNX-09 could not be decided: no program whose architecture could be read",
            "LNX-09 を判定できませんでした: アーキテクチャを読み取れるプログラムがありません",
        ),
        (
            "not told: port 80/tcp, volume /data, and 3 more",
            "記載がありません: ポート 80/tcp、ボリューム /data、ほか 3 件",
        ),
        ("2 layers, 30 bytes scanned, 1 package", "2 レイヤー、検査 30 バイト、1 パッケージ"),
        (
            "no login prompt on the serial console within 300 seconds; last lines: a swap file / the kernel panicked: x",
            "300 秒以内にシリアル コンソールにログイン プロンプトが出ませんでした。最後の行: a swap file / the kernel panicked: x",
        ),
        (
            "EOF while parsing a value at line 1 column 0, at byte 0",
            "値の途中で終わっています (1 行 0 列) (バイト位置 0)",
        ),
        ("expected `,` or `}` at line 3 column 14", "`,` または `}` がありません (3 行 14 列)"),
        (
            "2, newest of 2026-11-29; too few to be all: 2 for Debian:12; import whole exports, or images pass by a part",
            "2 件、最新 2026-11-29。全件とは考えられません: 2 for Debian:12。エクスポート全体をインポートしないと、一部の情報だけで合格になります",
        ),
        ("policy default of 2026-11-25", "ポリシー default (2026-11-25 版)"),
        (
            "2 would not pass by what is known now: a/b, c/d; their publishers were told; 1 could not be judged again",
            "現在判明している情報では合格しないもの 2 件: a/b, c/d。発行元に通知しました。ほか 1 件は再判定できませんでした",
        ),
        (
            "os-release says ubuntu 24.04, base-files 13ubuntu3 is of another release",
            "os-release は ubuntu 24.04 としていますが、base-files 13ubuntu3 は 別のリリース のものです",
        ),
        (
            "os-release says debian 11, base-files 12.4+deb12u5 is of debian 12",
            "os-release は debian 11 としていますが、base-files 12.4+deb12u5 は debian 12 のものです",
        ),
        ("# lines", "# lines"),
        ("1.4.0, latest", "1.4.0, latest"),
        ("OpenSSL 3.0.1", "OpenSSL 3.0.1"),
        ("", ""),
        ("words of somebody else", "words of somebody else"),
    ] {
        assert_eq!(observed(Locale::Ja, english), japanese);
        assert_eq!(observed(Locale::En, english), english);
    }
    // As deep as a stranger writes it, without end or delay.
    let deep = "x".to_owned() + &" and 1 more".repeat(50_000);
    assert!(observed(Locale::Ja, &deep).ends_with("、ほか 1 件"));
}

/// What findings say is to be done, where their rules do not say it in both languages.
#[test]
fn what_is_to_be_done_has_japanese() {
    const CALLS: [&str; 6] =
        ["Note::new(", ".add(", "layer_finding(", "=finding(", "(finding(", "Box::new(finding("];
    // What is required or observed, in calls of another form.
    const OTHERS: [&str; 19] = [
        "7 is 7",
        "7 refers to 7",
        "7 with 7 bytes",
        "7, as published",
        "7, as the listing declares",
        "X.Y or X.Y.Z, optionally followed by -suffix",
        "a disk that every reader understands alike",
        "an index when there are several platforms",
        "an upload of this publisher that is complete",
        "at least one version tag such as 1.0.1",
        "each platform's manifest listed by its own tag or digest",
        "every byte read",
        "every layer",
        "greater than 7.7.7, the newest published",
        "latest is 7",
        "not listed any more: 7",
        "the image of 7.7.7, the newest version listed",
        "the tag latest in the list",
        "the versions that customers have",
    ];
    let mut texts = BTreeSet::new();
    for (_, source) in ["certify", "worker", "domain"].into_iter().flat_map(sources) {
        let calls = CALLS.iter().flat_map(|call| behind(&source, call));
        texts.extend(calls.filter_map(|call| arguments(call).last().copied()).flat_map(words));
        let fields = ["fix:", "letfix="].iter().flat_map(|field| behind(&source, field));
        texts.extend(fields.flat_map(words));
    }
    texts.retain(|text| !OTHERS.contains(&text.as_str()));
    let missing: Vec<&String> = texts.iter().filter(|text| FIXES.words(text).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(texts.len() >= 60, "{} are read", texts.len());
}
