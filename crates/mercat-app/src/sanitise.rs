//! Publisher HTML, made safe.

/// Keeps simple markup; links get `rel` and may only be http or https.
pub(crate) fn html(text: &str) -> String {
    let tags = [
        "p", "br", "em", "strong", "b", "i", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "a",
        "code", "pre",
    ];
    ammonia::Builder::new()
        .tags(tags.into())
        .tag_attributes([("a", ["href"].into())].into())
        .generic_attributes(std::collections::HashSet::new())
        .url_schemes(["http", "https"].into())
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(text)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn scripts_and_handlers_do_not_survive() {
        let dirty = r#"<p onclick="x()">a</p><script>x()</script><a href="javascript:x()">b</a>
                       <a href="https://example.org">c</a><img src=x onerror=x><style>*{}</style><svg/onload=x>"#;
        let clean = html(dirty);
        for bad in ["script", "onclick", "onerror", "onload", "<img", "<svg", "style"] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(clean.contains(r#"<a href="https://example.org" rel="noopener noreferrer nofollow">c</a>"#));
    }
}
