use super::*;

#[test]
fn expressions_are_known_by_their_words_and_their_order() {
    for good in [
        "MIT OR Apache-2.0",
        "(MIT AND ISC) OR GPL-2.0-only WITH Classpath-exception-2.0",
        "GPL-2.0-or-later AND (MIT OR Zlib)",
    ] {
        assert_eq!(understand(good), Licence::Expression(good.into()));
    }
    for bad in ["MIT OR", "OR MIT", "MIT ISC", "(MIT", "MIT)", "MIT WITH ISC", "MIT AND nothing", "MIT, ISC"]
    {
        assert_eq!(understand(bad), Licence::Words(bad.into()), "{bad}");
    }
    assert_eq!(understand(" "), Licence::None);
}

#[test]
fn names_that_mean_one_licence_are_told_by_its_identifier() {
    for (written, id) in [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("MIT License", "MIT"),
        ("Expat", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("AGPLv3", "AGPL-3.0-only"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPL-2.0-only", "GPL-2.0-only"),
        ("GFDL-1.3+", "GFDL-1.3-or-later"),
    ] {
        assert_eq!(understand(written), Licence::Id(id.into()), "{written}");
    }
    for several in
        ["BSD", "GPL", "GPL+", "GPL-9+", "LGPL", "Apache Software License", "public-domain", "NOASSERTION"]
    {
        assert_eq!(understand(several), Licence::Words(several.into()));
    }
    let choice = understand("(mit or Apache-2.0) AND Zlib");
    assert_eq!(choice, Licence::Expression("(MIT OR Apache-2.0) AND Zlib".into()));
    for (written, right) in [("Apache-2.0+", "Apache-2.0+"), ("GPL-2.0 OR MIT", "GPL-2.0-only OR MIT")] {
        assert_eq!(understand(written), Licence::Expression(right.into()));
    }
    let joined = understand("GPL-2+ AND LGPL-2.1 and Expat");
    assert_eq!(joined, Licence::Expression("GPL-2.0-or-later AND LGPL-2.1-only AND MIT".into()));
}
