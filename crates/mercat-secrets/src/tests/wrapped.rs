//! Credentials that are written in another way than their own.

use super::{control, found, kinds};

/// A key whose body is base64 with every sign that there is.
fn key() -> String {
    String::from_utf8(control()).expect("text").replace("ZWQyNTUx", "Z+/QyNTUx")
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool, escape: impl Fn(u32) -> String) -> String {
    let each = text.chars().map(|c| if is_escaped(c) { escape(u32::from(c)) } else { c.to_string() });
    format!("{{\"tls\": \"{}\"}}", each.collect::<String>())
}

#[test]
fn a_key_in_base64_is_found_wherever_it_begins_in_a_group() {
    use base64::Engine as _;
    let key = key();
    for before in ["", "\n", "ab", "abc"] {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{key}"));
        assert_eq!(kinds(text), ["private key"], "{before:?}");
    }
}

#[test]
fn a_compressed_key_in_base64_is_found_also_where_that_is_encoded_again() {
    use base64::Engine as _;
    use std::io::Write as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(key().as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    let once = encode(&packed);
    assert_eq!(kinds(format!("- encoding: gz+b64\n  content: {once}\n")), ["private key"]);
    assert_eq!(kinds(&once), ["private key"]);
    assert_eq!(kinds(format!("data:\n  release: {}\n", encode(once.as_bytes()))), ["private key"]);
    assert_eq!(kinds(encode(&packed[..packed.len() - 8])), ["private key"], "cut off");
    let lines: Vec<&str> = (0..once.len()).step_by(60).map(|at| &once[at..once.len().min(at + 60)]).collect();
    assert_eq!(kinds(format!("content: |\n    {}\n", lines.join("\n    "))), ["private key"]);
    assert_eq!(kinds(format!("{{\"a\": \"b\\n{once}\"}}")), ["private key"]);
    // What unpacks to much does not end the search for what stands behind it, or it is told.
    let mut zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zeros.write_all(&[b'A'; 65_536]).expect("memory");
    let zeros = encode(&zeros.finish().expect("memory"));
    for count in [5, 60, 400] {
        let found = kinds(format!("{}{}", format!("{zeros} ;\n").repeat(count), key()));
        assert!(found == ["private key"] || found.contains(&crate::UNREAD), "{count}: {found:?}");
    }
    for other in [encode(&packed[..12]), format!("x{once}"), encode(b"\x1f\x8b\x08\x00 and no more")] {
        assert_eq!(kinds(&other), [""; 0], "{other}");
    }
}

#[test]
fn a_key_whose_line_ends_or_signs_json_escapes_is_found() {
    let lower = |code| format!("\\u{code:04x}");
    for (name, text) in [
        ("line ends", escaped(&key(), |c| c == '\n', lower)),
        ("line ends of Windows", escaped(&key().replace('\n', "\r\n"), |c| c < ' ', lower)),
        ("signs", escaped(&key(), |c| !c.is_ascii_alphanumeric() && c != ' ', lower)),
        ("signs in upper case", escaped(&key(), |c| "-+/=\n".contains(c), |code| format!("\\u{code:04X}"))),
        ("everything", escaped(&key(), |_| true, lower)),
        ("signs, as languages do", escaped(&key(), |c| c == '-', |code| format!("\\x{code:02x}"))),
        ("slashes", format!("{{\"tls\": \"{}\"}}", key().replace('\n', "\\n").replace('/', "\\/"))),
    ] {
        assert_eq!(kinds(&text), ["private key"], "{name}: {text}");
    }
    let note = "-----BEGIN NOTE-----\nhere goes the text of somebody who wrote sixty letters of it\n";
    for text in [
        escaped(note, |_| true, lower),
        escaped(note, |c| c == '-', lower),
        // Signs in a row, as tables of characters have them.
        escaped("abcdefghijklmnopqrstuvwxyz0123456789", |_| true, lower),
    ] {
        assert_eq!(kinds(&text), [""; 0], "{text}");
    }
}

#[test]
fn a_value_whose_equals_sign_json_escapes_is_found() {
    let password = |sign: &str| format!("{{\"Env\": [\"POSTGRES_PASSWORD{sign}hK3v9Qz71xWm\"]}}");
    assert_eq!(kinds(password("\\u003d")), ["PostgreSQL password"]);
    assert_eq!(kinds(password("\\u003D")), ["PostgreSQL password"]);
    assert_eq!(kinds(password("\\u002d")), [""; 0]);
    assert_eq!(kinds(password("u003d")), [""; 0]);
}

#[test]
fn a_key_in_hexadecimal_or_utf_32_is_found() {
    let hexadecimal: String = key().bytes().map(|byte| format!("{byte:02x}")).collect();
    let little: Vec<u8> = key().bytes().flat_map(|byte| [byte, 0, 0, 0]).collect();
    let big: Vec<u8> = key().bytes().flat_map(|byte| [0, 0, 0, byte]).collect();
    for text in [hexadecimal.to_uppercase().into_bytes(), hexadecimal.into_bytes(), little, big] {
        assert_eq!(kinds([b"x", &text[..], b"y"].concat()), ["private key"]);
        assert_eq!(kinds(&text[..text.len() / 4]), [""; 0]);
    }
}

#[test]
fn the_place_of_a_credential_is_the_line_that_tells_of_it() {
    use base64::Engine as _;
    let wrapped = base64::engine::general_purpose::STANDARD.encode(key());
    let wide: Vec<u8> = key().bytes().flat_map(|byte| [byte, 0]).collect();
    for (name, bytes, line) in [
        ("a key, by the line above", format!("a\n\n{}", key()).into_bytes(), Some(3)),
        ("in base64", format!("a\n\n{wrapped}").into_bytes(), Some(3)),
        ("in UTF-16", [b"a\n\n", &wide[..]].concat(), None),
        ("in a section", b"a\n[client]\npassword=hK3v9Qz71xWm\n".to_vec(), Some(3)),
        ("by itself", format!("a\nb\n  AKIA{}", "Z7QX4M2LT9WB3KDE").into_bytes(), Some(3)),
    ] {
        let lines = found(&bytes).into_iter().map(|secret| {
            let before = &bytes[..secret.at?];
            Some(1 + before.iter().filter(|byte| **byte == b'\n').count())
        });
        assert_eq!(lines.collect::<Vec<_>>(), [line], "{name}");
    }
}

#[test]
fn keys_of_curves_are_found_in_base64_without_lines_around() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let random = |count: u8| (0..count).map(|at| at.wrapping_mul(167).wrapping_add(59)).collect::<Vec<u8>>();
    let key = |version: u8, oid: u8, length: u8, public: &[u8]| {
        let mut content = vec![2, 1, version, 0x30, 5, 6, 3, 0x2b, 0x65, oid, 4, length + 2, 4, length];
        content.extend(random(length));
        content.extend(public);
        let mut out = vec![0x30, u8::try_from(content.len()).expect("short")];
        out.extend(content);
        out
    };
    let public = [&[0x81, 0x21, 0][..], &random(32)].concat();
    for key in
        [key(0, 0x70, 32, &[]), key(0, 0x6e, 32, &[]), key(0, 0x71, 57, &[]), key(1, 0x70, 32, &public)]
    {
        for text in [STANDARD.encode(&key), URL_SAFE_NO_PAD.encode(&key)] {
            assert_eq!(kinds(format!("signing_seed: {text}\n").as_bytes()), ["private key"], "{text}");
        }
        let cut = STANDARD.encode(&key[..key.len() - 6]);
        assert_eq!(kinds(format!("//! {cut}\n-----END PRIVATE").as_bytes()), [""; 0], "{cut}");
    }
}

#[test]
fn a_key_whose_lines_stand_in_a_program_or_in_escapes_is_found() {
    let key = key();
    let lines: Vec<&str> = key.trim_end().lines().collect();
    let (head, body) = (lines[0], lines[1]);
    let (first, second) = body.split_at(40);
    for text in [
        format!("const k = \"{head}\\n\" +\n  \"{first}\\n\" +\n  \"{second}\\n\";"),
        format!("k = '{head}'\n  + '{first}'\n  + '{second}'"),
        format!("[\"{head}\", \"{first}\", \"{second}\"]"),
        format!("KEY={head}%0A{first}%0A{second}").replace('+', "%2B").replace('/', "%2F"),
        format!("<key>{head}&#10;{first}&#10;{second}</key>"),
        format!("KEY={head}%0A{first}{second}%0A")
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace(' ', "%20"),
        format!("KEY={head}%0A{first}{second}%0A")
            .replace('+', "%2B")
            .replace(' ', "%20")
            .replace('-', "%2D"),
    ] {
        assert_eq!(kinds(&text), ["private key"], "{text}");
    }
    for text in [format!("\"{head}\\n\" + body + tail"), format!("// {head}\n// {first}\n// {second}")] {
        assert_eq!(kinds(&text), [""; 0], "{text}");
    }
}

#[test]
fn a_key_as_der_in_hexadecimal_is_found() {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let seed: Vec<u8> = (0..32_u8).map(|at| at.wrapping_mul(167).wrapping_add(59)).collect();
    let key = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
    assert_eq!(kinds(format!("key: {}\n", digits(&key))), ["private key"]);
    let public = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &seed].concat();
    assert_eq!(kinds(digits(&public)), [""; 0]);
}
