use super::super::tests::{FILE, LINK, MODULE, of_layers, purls, rules, tar};

type Member<'m> = (&'m str, u8, u32, &'m [u8]);

fn empty(path: &str) -> Member<'_> {
    (path, FILE, 0o644, b"")
}

fn nothing(path: &str) -> Member<'_> {
    (path, FILE, 0o644, br#"{"packages":[],"libraries":{}}"#)
}

fn link(path: &str) -> Member<'_> {
    (path, LINK, 0o777, b"/opt/package.json")
}

#[test]
fn a_package_whose_record_alone_goes_is_still_there() {
    let six = "lib/site-packages/six-1.dist-info/METADATA";
    let one = "lib/site-packages/one-1.egg-info";
    let php = "srv/vendor/composer/installed.json";
    let net = "net/shop.deps.json";
    let node = "app/node_modules/left-pad/package.json";
    let first = tar(&[
        (node, FILE, 0o644, MODULE),
        ("app/package.json", FILE, 0o644, br#"{"name":"shop","version":"9.0.0"}"#),
        (six, FILE, 0o644, b"Name: six\nVersion: 1\n"),
        (one, FILE, 0o644, b"Name: one\nVersion: 1\n"),
        (php, FILE, 0o644, br#"{"packages":[{"name":"acme/cart","version":"1.0"}]}"#),
        (net, FILE, 0o644, br#"{"libraries":{"Acme.Net/2.0":{"type":"package"}}}"#),
    ]);
    let of = |layers: &[&[Member<'_>]]| {
        let mut tars = vec![first.clone()];
        tars.extend(layers.iter().map(|layer| tar(layer)));
        let found = of_layers(&tars);
        let names: Vec<_> = found.components.iter().map(|one| one.name.clone()).collect();
        names.join(" ")
    };
    let whole = "Acme.Net acme/cart left-pad one shop six";
    let mut sorted: Vec<_> = of(&[]).split(' ').map(str::to_owned).collect();
    sorted.sort();
    assert_eq!(sorted.join(" "), whole);
    let gone = |path: &str| {
        let (parent, name) = path.rsplit_once('/').unwrap();
        format!("{parent}/.wh.{name}")
    };
    // What stays beside a record that went, or that tells of nothing any more.
    let [six_gone, one_gone, php_gone, net_gone, node_gone] = [six, one, php, net, node].map(gone);
    for (layer, left) in [
        (
            &[empty(&six_gone), empty(&one_gone), empty(&php_gone), empty(&net_gone), empty(&node_gone)][..],
            whole,
        ),
        (&[empty("lib/site-packages/.wh.six-1.dist-info")], whole),
        (&[empty("lib/site-packages/.wh.six-1.dist-info"), empty("lib/site-packages/.wh.six.pyc")], whole),
        (&[nothing(php), nothing(net), link(node)], whole),
        // The project itself, which is loaded by nothing.
        (&[empty("app/.wh.package.json")], "Acme.Net acme/cart left-pad one six"),
        // What it is about goes, too.
        (
            &[empty("lib/site-packages/.wh.six-1.dist-info"), empty("lib/site-packages/.wh.six.py")],
            "Acme.Net acme/cart left-pad one shop",
        ),
        (&[empty(&one_gone), empty("lib/site-packages/.wh.one")], "Acme.Net acme/cart left-pad shop six"),
        (&[empty(&net_gone), empty("net/.wh.Acme.Net.dll")], "acme/cart left-pad one shop six"),
        (&[nothing(php), empty("srv/vendor/.wh.acme")], "Acme.Net left-pad one shop six"),
        (&[empty("app/node_modules/.wh.left-pad")], "Acme.Net acme/cart one shop six"),
        (&[empty("app/.wh.node_modules")], "Acme.Net acme/cart one shop six"),
        (&[empty("app/node_modules/left-pad/.wh..wh..opq")], "Acme.Net acme/cart one shop six"),
        (&[empty(".wh.lib")], "Acme.Net acme/cart left-pad shop"),
        (&[("lib", FILE, 0o644, b"a file")], "Acme.Net acme/cart left-pad shop"),
        (&[empty(".wh..wh..opq")], ""),
    ] {
        let mut found: Vec<_> = of(&[layer]).split(' ').map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(" "), left, "{:?}", layer.iter().map(|entry| entry.0).collect::<Vec<_>>());
    }
    // The directory may go in an earlier layer or in a later one.
    let (record, all) = ([empty(&node_gone)], [empty("app/node_modules/.wh.left-pad")]);
    assert!(of(&[&record, &record]).contains("left-pad"));
    assert!(!of(&[&record, &all]).contains("left-pad"));
    assert!(!of(&[&all, &record]).contains("left-pad"));
    // Another version in its place.
    let newer = "lib/site-packages/six-2.dist-info/METADATA";
    let found = of_layers(&[
        first.clone(),
        tar(&[
            empty("lib/site-packages/.wh.six-1.dist-info"),
            (newer, FILE, 0o644, b"Name: six\nVersion: 2\n"),
        ]),
    ]);
    let six: Vec<_> =
        found.components.iter().filter(|one| one.name == "six").map(|one| &one.version).collect();
    assert_eq!(six, ["2"]);
    // Debian's place for modules.
    let of_debian = tar(&[("usr/share/nodejs/left-pad/package.json", FILE, 0o644, MODULE)]);
    let record = [empty("usr/share/nodejs/left-pad/.wh.package.json")];
    let found = of_layers(&[of_debian, tar(&record)]);
    assert!(found.components.iter().any(|one| one.name == "left-pad"));
    // A record without a version takes none away.
    let found = of_layers(&[first, tar(&[nothing(node)])]);
    assert!(found.components.iter().any(|one| one.name == "left-pad" && one.version == "1.3.0"));
}

#[test]
fn a_whiteout_is_nothing_that_its_name_says() {
    let marks = ["a/specifications/.wh.rack-1.0.0.gemspec", "a/.wh.six-1.0.egg-info", "a/.wh.app.deps.json"];
    let found = of_layers(&[tar(&marks.map(|mark| (mark, FILE, 0o644, &b""[..])))]);
    assert_eq!(purls(&found), [""; 0]);
    assert_eq!(rules(&found), [""; 0]);
}
