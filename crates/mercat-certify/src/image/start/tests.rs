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
    hindrance(config, &layers, None)
}

#[test]
fn a_program_that_no_layer_leaves_is_told() {
    let layers = [layer(&["opt/", "opt/app", "bin"], &[], &[])];
    let missing = Some("Entrypoint starts \"/opt/no\", which is not in the image".to_owned());
    assert_eq!(told(&config(&["/opt/no", "x"], &["/opt/app"]), &layers), missing);
    assert_eq!(told(&config(&["/opt/app"], &["--help"]), &layers), None);
    assert_eq!(told(&config(&["//opt/./app"], &[]), &layers), None);
    assert_eq!(told(&config(&["opt/app"], &[]), &layers), None);
    assert_eq!(told(&config(&[], &[]), &layers), None);
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
    let user = Config { user: "app".to_owned(), ..config(&[], &[]) };
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

#[test]
fn a_user_without_an_entry_is_told() {
    let facts = layer(&["etc/passwd"], &[], &[]);
    let layers = [("", &facts)];
    let users: BTreeSet<String> = ["root", "app"].map(str::to_owned).into();
    let of = |user: &str, users: Option<&BTreeSet<String>>| {
        hindrance(&Config { user: user.to_owned(), ..config(&[], &[]) }, &layers, users)
    };
    for user in ["", "app", "app:app", "root", "1000", "1000:x", "+7"] {
        assert_eq!(of(user, Some(&users)), None, "{user}");
    }
    let missing = Some("User is \"web\", which is not in etc/passwd".to_owned());
    assert_eq!(of("web:www", Some(&users)), missing);
    assert_eq!(of("web", None), None);
    let many: BTreeSet<String> = (0..USERS_MAX).map(|at| format!("u{at}")).collect();
    assert_eq!(of("web", Some(&many)), None);
    let bare = layer(&[], &[], &[]);
    let without = Config { user: "web".to_owned(), ..config(&[], &[]) };
    assert_eq!(hindrance(&without, &[("", &bare)], None), missing);
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
