use super::*;
use kind::{Check, Class, Part};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;

mod der;
mod logins;
mod names;
mod samples;
mod wrapped;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::load);

fn found(bytes: &[u8]) -> Vec<Secret> {
    let mut out = Vec::new();
    RULES.scan(bytes, |secret| out.push(secret));
    out
}

const WRITINGS: [Writing; 3] = [Writing::Other, Writing::Settings, Writing::Program];

fn kind_of(name: &str) -> &'static Kind {
    kinds::all().find(|kind| kind.name == name).expect("a kind")
}

/// Of all tables.
fn keywords() -> Vec<&'static [u8]> {
    let tables = [&RULES.every, &RULES.settings, &RULES.programs];
    let kinds = tables.into_iter().flat_map(|search| &search.kinds);
    let texts: BTreeSet<&[u8]> = kinds.flat_map(|kind| kind.keywords()).map(|keyword| keyword.text).collect();
    texts.into_iter().collect()
}

fn kinds(text: impl AsRef<[u8]>) -> Vec<&'static str> {
    found(text.as_ref()).into_iter().map(|secret| secret.kind).collect()
}

/// A made-up credential of a kind that is told by its parts, from a seed; `short` by how much its last run
/// is below what is asked.
fn made(kind: &Kind, seed: u64, short: usize) -> Option<Vec<u8>> {
    let Form::Parts(parts, first) = kind.form else { return None };
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |class: Class| loop {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let byte = (state >> 33) as u8 & 0x7f;
        // Signs at an edge would join or end a value.
        if class.has(byte) && (byte.is_ascii_alphanumeric()) {
            return byte;
        }
    };
    let last = parts.iter().rposition(|part| matches!(part, Part::Run(..)));
    let mut out = Vec::new();
    let mut secret = 0;
    for (index, part) in parts.iter().enumerate() {
        if index == first {
            secret = out.len();
        }
        match part {
            Part::Lit(text) | Part::NoCase(text) => out.extend_from_slice(text.as_bytes()),
            Part::Assign => out.extend_from_slice(b"=\""),
            Part::Run(Class::Uuid, ..) => {
                let digits: Vec<u8> = (0..36 - short).map(|_| draw(Class::Hex)).collect();
                out.extend(digits.iter().enumerate().map(|(at, digit)| match at {
                    8 | 13 | 18 | 23 => b'-',
                    _ => *digit,
                }));
            }
            Part::Run(class, least, _) => {
                let less = if Some(index) == last { short } else { 0 };
                let mut run: Vec<u8> = (0..usize::from(*least) - less).map(|_| draw(*class)).collect();
                // All sorts of characters that the checks ask for.
                for (at, sort) in
                    [b'7', b'q', b'Q'].into_iter().enumerate().filter(|(_, sort)| class.has(*sort))
                {
                    if run.len() >= 8 {
                        run[2 + at] = sort;
                    }
                }
                out.extend(run);
            }
        }
    }
    if kind.check == Check::Checksum && short == 0 {
        let at = out.len() - 6;
        let under = secret + out[secret..].iter().position(|byte| *byte == b'_')? + 1;
        let sum = shape::checksum(&out[under..at]);
        out[at..].copy_from_slice(&sum);
    }
    Some(out)
}

/// Tells whether this kind, or one that says the same by another name, is found.
fn is_told(kind: &Kind, text: &[u8]) -> bool {
    let told = kinds([b"\n", text, b"\"\n"].concat());
    told.contains(&kind.name)
}

#[test]
fn there_are_more_than_three_hundred_kinds() {
    assert!(Rules::load().kinds().len() > 300, "{}", Rules::load().kinds().len());
}

#[test]
fn each_kind_that_is_told_by_its_parts_is_found_and_its_near_miss_is_not() {
    let mut wrong = Vec::new();
    for kind in kinds::all() {
        // One seed may make a placeholder, or what another kind is told for; three do not.
        let tried: Vec<Vec<u8>> = (1..4).filter_map(|seed| made(kind, seed, 0)).collect();
        if !tried.is_empty() && !tried.iter().any(|text| is_told(kind, text)) {
            wrong.push(format!("{}: not found in {}", kind.name, String::from_utf8_lossy(&tried[0])));
        }
        for seed in 1..4 {
            let Some(near) = made(kind, seed, 1) else { continue };
            if is_told(kind, &near) {
                wrong.push(format!("{}: found in {}", kind.name, String::from_utf8_lossy(&near)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_kind_that_is_read_in_its_surroundings_is_found_and_its_near_miss_is_not() {
    let samples = samples::all();
    for kind in kinds::all().filter(|kind| matches!(kind.form, Form::Written(..))) {
        assert!(
            samples.iter().any(|sample| sample.0 == kind.name) || kind.name.starts_with("file in "),
            "{}",
            kind.name
        );
    }
    for (name, good, near) in samples {
        assert_eq!(kinds(&good), [name], "{}", String::from_utf8_lossy(&good));
        assert!(!kinds(&near).contains(&name), "{name}: {}", String::from_utf8_lossy(&near));
    }
}

#[test]
fn a_wrong_checksum_is_no_token() {
    let kind = kinds::all().find(|kind| kind.name == "GitHub token").expect("a kind");
    let mut token = made(kind, 5, 0).expect("parts");
    assert_eq!(kinds(&token), ["GitHub token"]);
    token[10] ^= 1;
    assert_eq!(kinds(&token), [""; 0]);
}

#[test]
fn nothing_is_shown_but_four_characters_or_a_fifth() {
    for kind in kinds::all() {
        for secret in made(kind, 1, 0).map(|text| found(&text)).unwrap_or_default() {
            let (shown, rest) = secret.redacted.split_once('…').expect("a mark");
            let length: usize =
                rest.trim_start_matches(" (").trim_end_matches(" characters)").parse().expect("a length");
            assert!(shown.len() <= 4 && shown.len() * 5 <= length, "{secret:?}");
        }
    }
}

#[test]
fn text_in_utf_16_is_read_as_what_it_says() {
    let kind = kinds::all().find(|kind| kind.name == "GitHub token").expect("a kind");
    let token = made(kind, 3, 0).expect("parts");
    for lead in 0..70 {
        let line = [b"\"token\"=\"", &token[..], b"\"\r\n"].concat();
        let little: Vec<u8> = line.iter().flat_map(|byte| [*byte, 0]).collect();
        let big: Vec<u8> = line.iter().flat_map(|byte| [0, *byte]).collect();
        for wide in [little, big] {
            assert_eq!(
                kinds([&vec![0xff; lead][..], &wide].concat()),
                ["GitHub token"],
                "{lead} bytes in front"
            );
        }
    }
}

#[test]
fn strings_of_compiled_python_have_no_words_around_them() {
    for (name, seed) in
        [("GitHub token", 3), ("AWS access key id", 4), ("Google API key", 5), ("GitLab token", 6)]
    {
        let kind = kinds::all().find(|kind| kind.name == name).expect("a kind");
        let token = made(kind, seed, 0).expect("parts");
        let length = token.len() as u8;
        for head in [vec![b'z', length], vec![b'Z' | 0x80, length], vec![b'a', length, 0, 0, 0]] {
            // What follows is the type of the next object, here of another string.
            for tail in [&b"z\x03abc"[..], b"N", b"\xda\x01x"] {
                let bytes = [b"\xe3\x00\x00", &head[..], &token, tail].concat();
                assert_eq!(kinds(&bytes), [name], "{bytes:?}");
            }
        }
    }
}

#[test]
fn hostile_windows_are_not_looked_at_again_and_again() {
    let rules = &*RULES;
    let size = 64 << 10;
    let most = size * WORK_PER_BYTE_MAX + WORK_FREE;
    let mut bait: Vec<Vec<u8>> = keywords().iter().map(|text| text.to_vec()).collect();
    bait.push(b"-----BEGIN PRIVATE KEY-----".to_vec());
    bait.push(b"eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.".to_vec());
    bait.push(b"\"auths\":{\"x\":{\"auth\":\"".to_vec());
    bait.push(b"kind: Secret\ndata:\n".to_vec());
    bait.push(b"a://b:".to_vec());
    for text in bait {
        let window = text.repeat(size / text.len());
        for writing in WRITINGS {
            let mut told = Vec::new();
            let work = rules.look(&window, writing, &mut |secret| told.push(secret.kind));
            assert!(work <= most, "{work} bytes for {}", String::from_utf8_lossy(&text));
            // Either all of it was tried, or that it was not is told.
            assert!(work < most || told.contains(&UNREAD), "{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn what_only_looks_like_a_secret_is_left_alone() {
    let manual = [
        "-----BEGIN RSA PRIV",
        "ATE KEY-----\n    MIIBxwIBAAJhAKD0YSHy73nUgysO13XsJmd4fHiFyQ+00R7VVu2iV9Qcon2LZS/x\n",
    ]
    .concat();
    let of_ssh2 = [
        "'-----BEGIN PRIV",
        "ATE KEY-----\\r\\nMC4CAQAwBQYDK2VwBCIEIHKj+sVa9WcD'\n      + '/q2DJUJaf43Kptc8xYuUQA4bOFj9vC8T\\r\\n-----END PRIV",
        "ATE KEY-----'",
    ]
    .concat();
    assert_eq!(kinds(of_ssh2.replace("HKj", "HKk")), ["private key"]);
    for text in [
        manual.as_str(),
        of_ssh2.as_str(),
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAAAAAAAAAAAAAAAAA",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n(your key here)",
        "-----BEGIN RSA PRIVATE KEY-----\nhere goes the text of your own key and nothing else at all\n",
        "https://user:password@example.org/",
        "postgres://user:${DB_PASSWORD}@db.example.org/x",
        "Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW",
        "POSTGRES_PASSWORD=${POSTGRES_PASSWORD}",
        "POSTGRES_PASSWORD=changeme123",
        "MYSQL_ROOT_PASSWORD: /run/secrets/db1",
        "CLOUDFLARE_API_TOKEN=<your-token-of-forty-characters-goes-here>",
        "# b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABlwAAAAdzc2gt\n\
         # EAAAGBANEIkJDVQP1CyVYNLDk3Cy9trRax5Wk7iGjDkG01pmfTEtmlOraeoUQmyFSR3aMJ\n\
         # YXsNbKGY2mFDxz5T7ByZ01VyDakjWQ5GrRVnMF9ntwPCGOB4uwi9Ne9T4dVG2xeHhzkWVR\n",
        "[WireGuard]\nPrivateKey=EEGlnEPYJV//kbvvIqxKkQwOiS+UENyPncC4bF46ong=\n",
        "http://john:S3nsit1veX9@my.example.com/",
        "_Z8ssa_live_varsP8functionP8hash_mapI8int_hashIjLj42",
        "kind: Secret\ndata: {}\n",
        "kind: Secret\nmetadata:\n  name: x\ndata:\n  key: ''\n",
    ] {
        assert_eq!(kinds(text), [""; 0], "{text}");
    }
}

#[test]
fn made_up_credentials_of_uneven_chance_are_found() {
    let mixed = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";
    let hex = "3f9a1c7e5b2d8064a9e1f37c5d0b8246e7a1c9533f9a1c7e5b2d8064a9e1f37c";
    let letters = "k7XzQ2mN9pL4vB8wR1tY6uI3oA5sD0fGhJkLzXcV";
    let storage = "R5Qm7xK2vL9pT4wZ8rN1cY6uB3oH5sD0fGhJkLzXcVbN4mQ8wE2rT6yU1iO9pA3sD7fG5hJ0kLzX4cV8bN2mQw";
    for (parts, kind) in [
        (vec!["AWS_SECRET_ACCESS", "_KEY=", letters], "AWS secret access key"),
        (vec!["\"private_key", "_id\": \"", &hex[..40], "\""], "Google service account"),
        (vec!["sk_li", "ve_", "4eC39HqLyjWDarjtT1zdp7dc"], "Stripe live key"),
        (vec!["dckr_", "pat_", &mixed[..27]], "Docker Hub token"),
        (vec!["dop_", "v1_", hex], "DigitalOcean token"),
        (vec!["SG.", &mixed[..22], ".", mixed, &mixed[..7]], "SendGrid key"),
        (vec!["AccountK", "ey=", storage, "=="], "Azure storage key"),
        (vec!["AI", "za", "SyD4fK9xQ2mN7pL1vB8wR5tY3uI6oA0sGhJ"], "Google API key"),
        (vec!["glp", "at-", &mixed[..20]], "GitLab token"),
        (vec!["hv", "s.", mixed, mixed, &mixed[..24]], "HashiCorp Vault token"),
        (vec!["root:$6", "$abcdefgh$", &"aB3dE6gH9j".repeat(9)[..86], ":19000:0:"], "shadow password hash"),
        (vec!["amqp://u:", "aB3dE6gH9jK2", "@x.example.com,prod.test.io/db"], "URL with a password"),
        (vec!["postgresql://u:", "aB3dE6gH9jK2", "@example.com/db?host=prod.test.io"], "URL with a password"),
        (vec!["hooks.slack.", "com/services/T0A1B2C3D/B4E5F6G7H/", &mixed[..24]], "Slack webhook"),
    ] {
        assert_eq!(kinds(parts.concat()), [kind]);
    }
}

#[test]
fn an_example_does_not_stand_in_for_what_is_beside_it() {
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    assert_eq!(kinds(format!("AKIAIOSFODNN7EXAMPLE\n{key}\n")), ["AWS access key id"]);
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(
        parts in proptest::collection::vec((0_usize..1000, proptest::collection::vec(any::<u8>(), 0..60)), 0..12),
    ) {
        let keywords = keywords();
        let mut window = Vec::new();
        for (keyword, filler) in parts {
            window.extend_from_slice(keywords[keyword % keywords.len()]);
            window.extend(filler);
        }
        for writing in WRITINGS {
            RULES.scan_file(&window, writing, |_| {});
        }
    }
}

#[test]
fn short_text_in_utf_16_is_read_at_the_end_of_a_file_too() {
    let kind = kind_of("AWS access key id");
    let token = made(kind, 4, 0).expect("parts");
    let mut missed = Vec::new();
    for lead in 0..70_usize {
        for tail in [&b""[..], b"\r\n"] {
            let little: Vec<u8> = token.iter().chain(tail).flat_map(|byte| [*byte, 0]).collect();
            if kinds([&vec![0xff; lead][..], &little].concat()) != ["AWS access key id"] {
                missed.push((lead, tail.len()));
            }
        }
    }
    assert!(missed.is_empty(), "{} of 140: {missed:?}", missed.len());
}

#[test]
fn what_is_likely_only_is_among_the_kinds() {
    assert!(LIKELY.iter().all(|name| RULES.kinds().contains(name)));
}

#[test]
fn ordinary_scripts_are_read_whole() {
    for line in [
        "cat a0001 | sort -u > b0001\n",
        "diff -u old/file new/file\n",
        "sudo -u www-data php artisan queue:work\n",
        "curl -u user:$PW https://repo.internal/x\n",
        "psql -u root -h db\n",
        "Server=db;User Id=sa;Password=;\n",
        "server --password \"$DB_PASSWORD\"\n",
        "  password: ${DB_PASSWORD}\n",
    ] {
        let mut text = line.repeat(4_000_000 / line.len()).into_bytes();
        text.extend(b"AWS_KEY=AKIA");
        text.extend(b"Z7QX4M2LT9WB3KDE\n");
        assert_eq!(kinds(&text), ["AWS access key id"], "{line}");
    }
}
