use super::*;

#[test]
fn expressions_are_known_by_their_words_and_their_order() {
    assert_eq!(understand("MIT"), Licence::Id("MIT".into()));
    for good in ["MIT OR Apache-2.0", "(MIT AND ISC) OR GPL-2.0-only WITH Classpath-exception-2.0"] {
        assert_eq!(understand(good), Licence::Expression(good.into()));
    }
    for bad in ["MIT OR", "OR MIT", "MIT ISC", "(MIT", "MIT)", "BSD", "MIT WITH ISC", "GPL-2+ AND MIT"] {
        assert_eq!(understand(bad), Licence::Words(bad.into()), "{bad}");
    }
    assert_eq!(understand(" "), Licence::None);
}
