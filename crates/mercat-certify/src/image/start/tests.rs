use super::*;
use crate::files::Named;

fn layer(files: &[&str], removed: &[&str], opaque: &[&str]) -> LayerFacts {
    let mut facts = LayerFacts { blob: "sha256:00".to_owned(), ..LayerFacts::default() };
    for path in files {
        let (path, named) = match path.strip_suffix('/') {
            Some(path) => (path, Named::Directory),
            None => (*path, Named::File),
        };
        facts.told.name(path, named, 0o755, &[]);
    }
    facts.told.of_lower_layers();
    facts.removed = removed.iter().map(|path| (*path).to_owned()).collect();
    facts.opaque = opaque.iter().map(|path| (*path).to_owned()).collect();
    facts
}

fn config(entry_point: &[&str], command: &[&str]) -> Config {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Config {
        platform: "linux/amd64".to_owned(),
        entry_point: words(entry_point),
        command: words(command),
        ..Config::default()
    }
}

fn told(config: &Config, layers: &[LayerFacts]) -> Option<String> {
    let layers: Vec<(&str, &LayerFacts)> = layers.iter().map(|layer| ("", layer)).collect();
    hindrance(config, &layers, [None; 2])
}

#[test]
fn a_program_that_no_layer_leaves_is_told() {
    let layers = [layer(&["opt/", "opt/app", "bin"], &[], &[])];
    let missing = Some("Entrypoint starts \"/opt/no\", which is not in the image".to_owned());
    assert_eq!(told(&config(&["/opt/no", "x"], &["/opt/app"]), &layers), missing);
    assert_eq!(told(&config(&["/opt/app"], &["--help"]), &layers), None);
    assert_eq!(told(&config(&["//opt/./app"], &[]), &layers), None);
    assert_eq!(told(&config(&["opt/app"], &[]), &layers), None);
    let nothing = Some("the image has neither Entrypoint nor Cmd".to_owned());
    assert_eq!(told(&config(&[], &[]), &layers), nothing);
    assert_eq!(told(&config(&[], &[]), &[]), nothing);
    let started_in = |directory: &str| Config { directory: directory.to_owned(), ..config(&["./app"], &[]) };
    assert_eq!(told(&started_in("/opt"), &layers), None);
    let missing = Some("Entrypoint starts \"./app\", which is not in the image".to_owned());
    assert_eq!(told(&started_in("/srv"), &layers), missing);
    let windows = Config { platform: "windows/amd64".to_owned(), ..config(&["/opt/no"], &[]) };
    assert_eq!(told(&windows, &layers), None);
}

#[test]
fn what_later_layers_take_away_is_missing_until_it_is_there_again() {
    let below = || layer(&["opt/app"], &[], &[]);
    let app = config(&["/opt/app"], &[]);
    assert!(told(&app, &[below(), layer(&[], &["opt/app"], &[])]).is_some());
    assert!(told(&app, &[below(), layer(&[], &["opt"], &[])]).is_some());
    assert!(told(&app, &[below(), layer(&[], &[], &["opt"])]).is_some());
    assert!(told(&app, &[below(), layer(&[], &[], &[""])]).is_some());
    assert!(told(&app, &[below(), layer(&[], &["op", "opt/ap", "x"], &["o"])]).is_none());
    assert!(told(&app, &[below(), layer(&["opt/app"], &[], &["opt"])]).is_none());
    assert!(told(&app, &[below(), layer(&[], &["opt"], &[]), below()]).is_none());
}

#[test]
fn what_names_do_not_tell_is_not_said() {
    // `opt` and `bin` may be links.
    let linked = [layer(&["opt", "bin", "etc/passwd"], &[], &[])];
    assert_eq!(told(&config(&["/opt/app"], &[]), &linked), None);
    assert_eq!(told(&config(&["sh"], &[]), &linked), None);
    assert_eq!(told(&config(&["/etc/../opt/x"], &[]), &[layer(&[], &[], &[])]), None);
    let mut full = layer(&[], &[], &[]);
    full.told.left = 1;
    assert_eq!(told(&config(&["/app"], &[]), &[full]), None);
    for of_runtime in ["/proc/self/root/bin/sh", "/dev/init", "/"] {
        assert_eq!(told(&config(&[of_runtime], &[]), &[layer(&[], &[], &[])]), None, "{of_runtime}");
    }
    let unread = LayerFacts { blob: String::new(), ..layer(&[], &[], &[]) };
    assert_eq!(told(&config(&["/app"], &[]), &[unread]), None);
    // Who has no list of users that was read may have anyone.
    let user = Config { user: "app".to_owned(), ..config(&["/opt/app"], &[]) };
    assert_eq!(told(&user, &linked), None);
}

#[test]
fn a_name_is_looked_for_where_path_leads() {
    let layers = [layer(&["usr/bin/nginx", "opt/x/app"], &[], &[])];
    assert_eq!(told(&config(&[], &["nginx", "-g"]), &layers), None);
    let missing = Some("Cmd starts \"app\", which is in no directory of PATH".to_owned());
    assert_eq!(told(&config(&[], &["app"]), &layers), missing);
    let with = |path: &str| Config { env: vec![format!("PATH={path}")], ..config(&[], &["app"]) };
    assert_eq!(told(&with("/usr/bin:/opt/x"), &layers), None);
    assert_eq!(told(&with("/usr/bin:/opt"), &layers), missing);
    assert_eq!(told(&with("/usr/bin:"), &layers), None);
    assert_eq!(told(&with(&"/opt:".repeat(200)), &layers), None);
    let twice = Config { env: vec!["PATH=/x".to_owned(), "PATH=/y".to_owned()], ..config(&[], &["app"]) };
    assert_eq!(told(&twice, &layers), None);
}

/// A layer with files that have a mode and content.
fn started(files: &[(&str, u32, &[u8])]) -> LayerFacts {
    let names: Vec<&str> = files.iter().map(|(path, ..)| *path).collect();
    let mut facts = layer(&names, &[], &[]);
    for (path, mode, head) in files {
        facts.told.start(path, *mode, head);
    }
    facts
}

/// An ELF program for a machine, with a loader where one is named.
fn elf(machine: u8, loader: &str) -> Vec<u8> {
    let mut bytes = vec![0; 120];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (bytes[16], bytes[18], bytes[20], bytes[32], bytes[52], bytes[54]) = (2, machine, 1, 64, 64, 56);
    if !loader.is_empty() {
        (bytes[56], bytes[64], bytes[72]) = (1, 3, 120);
        bytes[96] = u8::try_from(loader.len() + 1).expect("short");
        bytes.extend(loader.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[test]
fn what_a_kernel_would_not_start_is_told() {
    let of = |mode: u32, content: &[u8]| {
        let layers =
            [started(&[("lib/ld.so", 0o755, b""), ("bin/sh", 0o755, b""), ("usr/bin/env", 0o755, b"")])];
        let top = started(&[("app/run", mode, content)]);
        told(&config(&["/app/run"], &[]), &[&layers[..], &[top]].concat())
    };
    let why = |why: &str| Some(format!("Entrypoint starts \"/app/run\", {why}"));
    assert_eq!(of(0o755, b"#!/bin/sh -e\n"), None);
    assert_eq!(of(0o644, b"#!/bin/sh\n"), why("which has no permission to be executed"));
    assert_eq!(of(0o644, &elf(62, "")), why("which has no permission to be executed"));
    let missing = why("a script for \"/bin/bash\", which is not in the image");
    assert_eq!(of(0o755, b"#! /bin/bash\n"), missing);
    assert_eq!(of(0o755, b"#!bash\n"), None, "from wherever it is started");
    assert_eq!(of(0o755, b"#!/bin/sh\r\n"), why("a script whose first line ends with a carriage return"));
    assert_eq!(of(0o755, b"#!/usr/bin/env sh\n"), None);
    let missing = why("a script for \"node\", which is in no directory of PATH");
    assert_eq!(of(0o755, b"#!/usr/bin/env node\n"), missing);
    let cut = why("a script whose first line ends with a carriage return");
    assert_eq!(of(0o755, b"#!/usr/bin/env node\r\n"), cut);
    let missing = why("a script for \"node\", which is in no directory of PATH");
    assert_eq!(of(0o755, b"#!/usr/bin/env -S node --x\n"), missing);
    assert_eq!(of(0o755, b"#!/usr/bin/env -S sh -e\n"), None);
    let neither = why("which is neither a program nor a script with a first line that names one");
    assert_eq!(of(0o755, b"exec /bin/sh\n"), neither);
    assert_eq!(of(0o755, b""), neither);
    assert_eq!(of(0o644, b"exec /bin/sh\n"), None, "modes of what is no program are not kept");
    for unclear in [
        b"#!/usr/bin/env -S \"no de\"\n".as_slice(),
        b"#!/usr/bin/env -S -i node\n",
        b"#!/usr/bin/env A=b node\n",
        b"#!/usr/bin/env\n",
    ] {
        assert_eq!(of(0o755, unclear), None);
    }
    assert_eq!(of(0o755, &elf(62, "")), None);
    assert_eq!(of(0o755, &elf(3, "/lib/ld.so")), None);
    let small = Config { platform: "linux/386".to_owned(), ..config(&["/run"], &[]) };
    assert_eq!(told(&small, &[started(&[("run", 0o755, &elf(62, ""))])]), None, "on a kernel of 64 bits");
    assert_eq!(of(0o755, &elf(183, "")), why("a program for another processor than amd64"));
    let missing = why("a program that needs \"/lib64/ld.so\", which is not in the image");
    assert_eq!(of(0o755, &elf(62, "/lib64/ld.so")), missing);
}

#[test]
fn a_link_below_the_root_is_followed() {
    let with = |target: &str, files: &[&str]| {
        let mut facts = layer(&[files, &["bin"]].concat(), &[], &[]);
        facts.told.top("bin", target.to_owned());
        facts
    };
    let of = |program: &str, layers: &[LayerFacts]| told(&config(&[program], &[]), layers);
    let merged = || with("usr/bin", &["usr/bin/sh"]);
    assert_eq!(of("/bin/sh", &[merged()]), None);
    assert_eq!(of("sh", &[merged()]), None);
    let missing = |what: &str| Some(format!("Entrypoint starts \"{what}\", which is not in the image"));
    assert_eq!(of("/bin/node", &[merged()]), missing("/bin/node"));
    let nowhere = Some("Entrypoint starts \"node\", which is in no directory of PATH".to_owned());
    assert_eq!(of("node", &[merged()]), nowhere);
    assert_eq!(of("/bin/sh", &[merged(), layer(&[], &["usr/bin/sh"], &[])]), missing("/bin/sh"));
    // A directory in its place, and a link that leads back.
    assert_eq!(of("/bin/sh", &[merged(), layer(&["bin/", "bin/sh"], &[], &[])]), None);
    assert_eq!(of("/bin/sh", &[with("bin", &[])]), None);
    let script = [merged(), started(&[("run", 0o755, b"#!/bin/bash\n")])];
    assert!(of("/run", &script).is_some_and(|why| why.contains("a script for \"/bin/bash\"")));
}

#[test]
fn what_may_not_be_executed_is_passed_over_in_path() {
    let of = |mode: u32| {
        let layers = [started(&[("usr/bin/app", 0o644, b"#!/no\n"), ("bin/app", mode, b"#!/bin/app\n")])];
        told(&config(&["app"], &[]), &layers)
    };
    assert_eq!(of(0o755), None);
    assert_eq!(of(0o644).as_deref(), Some("Entrypoint starts \"app\", which is in no directory of PATH"));
}

#[test]
fn the_topmost_layer_says_how_a_program_starts() {
    let script = |interpreter: &str| started(&[("run", 0o755, format!("#!{interpreter}\n").as_bytes())]);
    let run = config(&["/run"], &[]);
    assert!(told(&run, &[script("/no")]).is_some());
    assert_eq!(told(&run, &[script("/no"), script("/run")]), None);
    assert!(told(&run, &[script("/run"), script("/no")]).is_some());
    // A link, or what is linked to a lower layer.
    assert_eq!(told(&run, &[script("/no"), layer(&["run"], &[], &[])]), None);
    let mut linked = script("/no");
    linked.told.hard_link("again", "run");
    assert!(linked.told.starts.contains_key("again"));
    let library = started(&[("lib/a.so.1", 0o755, &elf(62, "")), ("lib/b.so", 0o755, &elf(62, ""))]);
    assert!(library.told.starts.is_empty());
}

#[test]
fn a_user_without_an_entry_is_told() {
    let facts = layer(&["etc/passwd"], &[], &[]);
    let layers = [("", &facts)];
    let users: BTreeSet<String> = ["root", "app"].map(str::to_owned).into();
    let groups: BTreeSet<String> = ["root", "app", "x"].map(str::to_owned).into();
    let of = |user: &str, users: Option<&BTreeSet<String>>| {
        hindrance(
            &Config { user: user.to_owned(), ..config(&["/proc/self/exe"], &[]) },
            &layers,
            [users, Some(&groups)],
        )
    };
    for user in ["", "app", "app:app", "root", "1000", "1000:x", "+7"] {
        assert_eq!(of(user, Some(&users)), None, "{user}");
    }
    let missing = Some("User is \"web\", which is not in etc/passwd".to_owned());
    assert_eq!(of("web:www", Some(&users)), missing);
    let of_group = Some("the group of User is \"www\", which is not in etc/group".to_owned());
    assert_eq!(of("app:www", Some(&users)), of_group);
    assert_eq!(of("1000:www", None), of_group);
    assert_eq!(of("app:33", Some(&users)), None);
    assert_eq!(of("web", None), None);
    let many: BTreeSet<String> = (0..USERS_MAX).map(|at| format!("u{at}")).collect();
    assert_eq!(of("web", Some(&many)), None);
    let bare = layer(&[], &[], &[]);
    let without = Config { user: "web".to_owned(), ..config(&["/proc/self/exe"], &[]) };
    assert_eq!(hindrance(&without, &[("", &bare)], [None; 2]), missing);
}

#[test]
fn packages_that_are_not_read_are_told_while_they_are_there() {
    let told = |formats: &[&'static str], layers: &[LayerFacts]| {
        let layers: Vec<(&str, &LayerFacts)> = layers.iter().map(|layer| ("", layer)).collect();
        let formats = formats.iter().copied().collect();
        let found = crate::inventory::check_others(&formats, |directory| has_unread(directory, &layers));
        found.map(|finding| format!("{} {}", finding.rule, finding.observed))
    };
    let below = || layer(&["var/lib/pacman/local/acl-2/desc", "nix/store/x/bin/y"], &[], &[]);
    let both = "INC-07 packages of Nix, pacman, which are not read".to_owned();
    assert_eq!(told(&[], &[below()]), Some(both.clone()));
    assert_eq!(told(&["dpkg"], &[below(), layer(&["opt/"], &["opt/x"], &[])]), Some(both));
    let one = "INC-07 packages of Nix, which are not read".to_owned();
    assert_eq!(told(&[], &[below(), layer(&[], &["var/lib/pacman"], &[])]), Some(one));
    assert_eq!(told(&[], &[below(), layer(&[], &[], &[""])]), None);
    assert_eq!(told(&[], &[layer(&["var/lib/dpkg/info/a", "nix", "nix/store/"], &[], &[])]), None);
    let chiselled = layer(&["var/lib/chisel/manifest.wall"], &[], &[]);
    let one = "INC-07 packages of Chisel, which are not read".to_owned();
    assert_eq!(told(&[], std::slice::from_ref(&chiselled)), Some(one));
    assert_eq!(told(&["dpkg"], &[chiselled]), None);
}
