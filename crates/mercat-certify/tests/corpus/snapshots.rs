//! H: what operators import: advisories, signals of exploitation, statements, signatures.

use super::Case;
use super::Expect::{self, Accepted, Blocks};
use super::bytes::{noise, with};
use mercat_certify::advisories::{self, Batch, Content, Import, Snapshot};
use std::sync::Arc;

pub(super) fn cases() -> Vec<Case> {
    let mut out = snapshots();
    out.extend(osv());
    out.extend(vex());
    out.extend(signals());
    out.extend(signatures());
    out
}

fn said<T, E: ToString>(result: Result<T, E>) -> String {
    result.err().map_or_else(String::new, |error| error.to_string())
}

const RECORD: &str = r#"{"id":"A-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"p"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"}]}]}]}"#;

fn snapshot() -> Vec<u8> {
    let record = |at: usize| {
        let text = RECORD.replace("A-1", &format!("A-{at}")).replace("\"p\"", &format!("\"p{at}\""));
        advisories::osv::read_json(text.as_bytes()).expect("a right record")
    };
    let mut content = Content::default();
    content.add(
        Batch { records: (0..300).map(record).collect(), ..Batch::default() },
        false,
        Import::default(),
    );
    let mut out = Vec::new();
    content.write(&mut out).expect("memory");
    out
}

/// Everything that is read of a snapshot; the first refusal.
fn read(bytes: Vec<u8>) -> String {
    let snapshot = match Snapshot::open(Arc::new(bytes), None) {
        Ok(snapshot) => snapshot,
        Err(error) => return error.to_string(),
    };
    for at in 0..300 {
        match snapshot.package("Debian:12", &format!("p{at}")) {
            Ok(found) if found.len() == 1 => {}
            Ok(found) => return format!("SILENT: {} records of p{at}", found.len()),
            Err(error) => return error.to_string(),
        }
    }
    said(snapshot.verify())
}

fn snapshots() -> Vec<Case> {
    let whole = snapshot();
    let length = whole.len();
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, expect: Expect| {
        out.push(Case::import(format!("snapshot: {name}"), expect, move || read(bytes.clone())));
    };
    add("whole".into(), whole.clone(), Accepted);
    add("empty".into(), Vec::new(), Blocks("SNP-01"));
    add("noise".into(), noise(5000, 41), Blocks("SNP-02"));
    add("JSON".into(), RECORD.as_bytes().to_vec(), Blocks("SNP-02"));
    add("another schema".into(), with(&whole, 8, &[99]), Blocks("SNP-03"));
    for end in [8, 15, 16, 17, 87, 88, 1000, length / 2, length - 1] {
        add(format!("cut at {end}"), whole[..end].to_vec(), Blocks("SNP-0"));
    }
    add("a byte more".into(), [whole.clone(), vec![0]].concat(), Blocks("SNP-04"));
    add("twice".into(), [whole.clone(), whole.clone()].concat(), Blocks("SNP-04"));
    // Each field of the trailer past all bounds, and bytes all over.
    for field in 0..9 {
        let at = length - 72 + field * 8;
        add(format!("field {field} of the trailer"), with(&whole, at, &[0xff; 8]), Blocks("SNP-0"));
    }
    for part in 1..24 {
        let at = 16 + part * (length - 100) / 24;
        let bytes = with(&whole, at, &[whole[at] ^ 0x40]);
        // Zeros that stand between two parts of a page are under the digest alone.
        add(format!("byte {at}"), bytes, Blocks("SNP-05|SNP-0"));
    }
    out
}

fn osv() -> Vec<Case> {
    let events = format!("[{}]", vec![r#"{"introduced":"0"}"#; 20_000].join(","));
    let swap = |from: &str, to: &str| {
        assert!(RECORD.contains(from), "{from}");
        RECORD.replacen(from, to, 1)
    };
    let deep = format!("{{\"id\":{}", "[".repeat(100_000));
    [
        ("right", RECORD.to_owned(), Accepted),
        ("nonsense", "nonsense".to_owned(), Blocks("OSV-0")),
        ("empty", String::new(), Blocks("OSV-0")),
        ("cut", RECORD[..100].to_owned(), Blocks("OSV-01")),
        ("100,000 deep", deep, Blocks("OSV-01")),
        ("an id twice", swap("{", "{\"id\":\"B-1\","), Blocks("OSV-01")),
        ("no id", swap("\"id\"", "\"ID2\""), Blocks("OSV-02")),
        ("an id that is a number", swap("\"A-1\"", "5"), Blocks("OSV-02")),
        ("no date", swap("\"modified\"", "\"changed\""), Blocks("OSV-02")),
        ("20,000 events", swap(r#"[{"introduced":"0"},{"fixed":"1"}]"#, &events), Blocks("OSV-03")),
        ("a name of 10,000 letters", swap("\"p\"", &format!("\"{}\"", "p".repeat(10_000))), Blocks("OSV-03")),
    ]
    .into_iter()
    .map(|(name, text, expect)| {
        Case::import(format!("OSV: {name}"), expect, move || {
            said(advisories::osv::read_json(text.as_bytes()))
        })
    })
    .collect()
}

fn vex() -> Vec<Case> {
    let open = |statements: &str| {
        format!(
            r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"x","author":"a","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":{statements}}}"#
        )
    };
    let one = |inside: &str| open(&format!("[{{{inside}}}]"));
    let product = r#""products":[{"@id":"pkg:oci/a"}]"#;
    let right = format!(r#""vulnerability":{{"name":"CVE-2024-1"}},{product},"status":"fixed""#);
    let many = open(&format!("[{}]", vec![format!("{{{right}}}"); 100_001].join(",")));
    [
        ("right", one(&right), Accepted),
        ("nonsense", "nonsense".to_owned(), Blocks("VEX-11")),
        ("cut", one(&right)[..80].to_owned(), Blocks("VEX-11")),
        ("100,000 deep", "[".repeat(100_000), Blocks("VEX-11")),
        ("a key twice", one(&right).replacen('{', "{\"author\":\"b\",", 1), Blocks("VEX-11")),
        ("neither of both", "{}".to_owned(), Blocks("VEX-12")),
        ("another context", one(&right).replace("openvex.dev", "example.org"), Blocks("VEX-12")),
        ("statements as text", open("\"x\""), Blocks("VEX-1")),
        ("a statement as a number", open("[5]"), Blocks("VEX-13")),
        ("no vulnerability", one(&format!(r#"{product},"status":"fixed""#)), Blocks("VEX-13")),
        ("no status", one(&format!(r#""vulnerability":{{"name":"CVE-2024-1"}},{product}"#)), Blocks("VEX-13")),
        ("an unknown status", one(&right.replace("fixed", "fine")), Blocks("VEX-13")),
        ("not affected without a reason", one(&right.replace("fixed", "not_affected")), Blocks("VEX-13")),
        ("100,001 statements", many, Blocks("VEX-14")),
        ("CycloneDX: vulnerabilities as text", r#"{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":"x"}"#.to_owned(), Blocks("VEX-1")),
        ("CycloneDX: a vulnerability as a number", r#"{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":[5]}"#.to_owned(), Blocks("VEX-1")),
        ("CycloneDX: an unknown state", r#"{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":[{"id":"CVE-2024-1","analysis":{"state":"fine"},"affects":[{"ref":"pkg:npm/a"}]}]}"#.to_owned(), Blocks("VEX-1")),
    ]
    .into_iter()
    .map(|(name, text, expect)| {
        Case::import(format!("VEX: {name}"), expect, move || said(advisories::vex::read(text.as_bytes())))
    })
    .collect()
}

fn signals() -> Vec<Case> {
    let kev = r#"{"catalogVersion":"2026.11.20","dateReleased":"2026-11-20T15:00:00Z","vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","dueDate":"2021-12-24"}]}"#;
    let epss = "#model_version:v1,score_date:2026-11-25T00:00:00+0000\ncve,epss,percentile\nCVE-2021-44228,0.9,0.9\n";
    let mut out: Vec<Case> = [
        ("right", kev.to_owned(), Accepted),
        ("nonsense", "nonsense".to_owned(), Blocks("SIG-01")),
        ("cut", kev[..90].to_owned(), Blocks("SIG-01")),
        ("no date", kev.replace("2026", "x"), Blocks("SIG-01")),
        ("a CVE that is none", kev.replace("CVE-2021-44228", "CVE-x"), Blocks("SIG-02")),
        ("a day that is none", kev.replace("2021-12-10", "2021-13-40"), Blocks("SIG-02")),
        ("an entry as a number", kev.replace("[{", "[5,{"), Blocks("SIG-02")),
        ("a key twice", kev.replacen('{', "{\"catalogVersion\":\"x\",", 1), Blocks("SIG-01")),
        ("100,000 deep", "{\"a\":".repeat(100_000), Blocks("SIG-01")),
    ]
    .into_iter()
    .map(|(name, text, expect)| {
        Case::import(format!("KEV: {name}"), expect, move || said(advisories::read_kev(text.as_bytes())))
    })
    .collect();
    let lines = [
        ("right", epss.to_owned(), Accepted),
        ("empty", String::new(), Blocks("SIG-01")),
        ("no date", epss.replace("score_date", "date"), Blocks("SIG-01")),
        ("other columns", epss.replace("percentile", "rank"), Blocks("SIG-01")),
        ("a share of 2", epss.replace("0.9,", "2,"), Blocks("SIG-02")),
        ("a share of NaN", epss.replace("0.9,", "NaN,"), Blocks("SIG-02")),
        ("a negative share", epss.replace("0.9,", "-0.1,"), Blocks("SIG-02")),
        ("a share past every double", epss.replace("0.9,", "1e999,"), Blocks("SIG-02")),
        ("four columns", epss.replace("0.9,", "0.9,0.9,"), Blocks("SIG-02")),
        ("a name that is no CVE", epss.replace("CVE-2021", "CWE-2021"), Blocks("SIG-02")),
        ("a line of 1 MiB", epss.replace("0.9,", &format!("{},", "0".repeat(1 << 20))), Blocks("SIG-03")),
    ];
    out.extend(lines.into_iter().map(|(name, text, expect)| {
        Case::import(format!("EPSS: {name}"), expect, move || {
            said(advisories::read_epss(&mut text.as_bytes()))
        })
    }));
    out
}

/// Signatures as compiled: what is wrong with them is told as one of three things.
fn signatures() -> Vec<Case> {
    let mut builder = mercat_signatures::Builder::default();
    builder.line("One=61626364??6566");
    builder.line(&format!("{}:5:Two", "ab".repeat(32)));
    let whole = mercat_signatures::pack("about", &builder.compile());
    let length = whole.len();
    let open = |bytes: Vec<u8>| {
        said(mercat_signatures::Pack::open(Arc::new(bytes)).and_then(mercat_signatures::Pack::verify))
    };
    let damaged = Blocks("damaged");
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, expect: Expect| {
        out.push(Case::import(format!("signatures: {name}"), expect, move || open(bytes.clone())));
    };
    add("whole".into(), whole.clone(), Accepted);
    add("empty".into(), Vec::new(), damaged);
    add("noise".into(), noise(5000, 42), Blocks("not a compiled"));
    add("another form".into(), with(&whole, 8, &[9]), Blocks("compiled in form"));
    add("a text of 4 GiB".into(), with(&whole, 12, &[0xff; 4]), damaged);
    for (at, what) in [(16, "patterns"), (24, "a table"), (32, "a second table")] {
        add(format!("{what} of 2^64 bytes"), with(&whole, at, &[0xff; 8]), damaged);
        add(format!("{what} of no bytes"), with(&whole, at, &[0; 8]), damaged);
    }
    for end in [7, 39, 44, 100, length / 2, length - 1] {
        add(format!("cut at {end}"), whole[..end].to_vec(), damaged);
    }
    for part in 0..12 {
        let at = 60 + part * (length - 70) / 12;
        add(
            format!("byte {at}"),
            with(&whole, at, &[whole[at] ^ 1]),
            Blocks("damaged|not a compiled|compiled in"),
        );
    }
    out
}
