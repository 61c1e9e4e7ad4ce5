//! Where a disk is read from, and what is asked of shared-access URLs (domain rules 5.6).

use super::check::is_url;
use crate::tags::parse_triple;

/// Where a publisher keeps a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskSource<'a> {
    /// An https URL, with or without a signature.
    Url(&'a str),
    /// A path on the server, below a directory that the operator lists.
    File(&'a str),
    /// The id of a finished upload.
    Upload(&'a str),
}

/// File name extensions of disks.
pub const EXTENSIONS: [&str; 8] = ["vhd", "vhdx", "qcow2", "vmdk", "raw", "img", "bin", "dd"];

/// A rule that a disk source breaks: code, what was found, what is required.
pub type Broken = (&'static str, String, &'static str);

impl<'a> DiskSource<'a> {
    /// Reads a source as publishers write it: `https://...`, `file:/path` or `upload:id`.
    ///
    /// # Errors
    /// `F015` for other forms, and the `SAS-*` rule that a shared-access URL breaks by its text alone.
    pub fn parse(text: &'a str) -> Result<Self, Broken> {
        let broken = |required| Err(("F015", shown(text), required));
        if let Some(path) = text.strip_prefix("file:") {
            let plain = path.starts_with('/') && !path.chars().any(char::is_control) && path.len() <= 1024;
            return if plain { Ok(Self::File(path)) } else { broken("file: and an absolute path") };
        }
        if let Some(id) = text.strip_prefix("upload:") {
            let plain = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            return if plain { Ok(Self::Upload(id)) } else { broken("upload: and the id of an upload") };
        }
        if !is_url(text, &["https://", "http://"]) {
            return broken("an https URL, upload:ID or file:/PATH");
        }
        check_shared_access(text)?;
        Ok(Self::Url(text))
    }

    /// The file name extension, lower case, when the source has a file name; an upload has its own name.
    pub fn extension(self) -> Option<String> {
        let path = match self {
            Self::Url(url) => url.split(['?', '#']).next().unwrap_or(""),
            Self::File(path) => path,
            Self::Upload(_) => return None,
        };
        extension(path)
    }

    /// What stays when a URL is signed anew.
    pub fn identity(self) -> &'a str {
        match self {
            Self::Url(url) => url.split(['?', '#']).next().unwrap_or(url),
            Self::File(path) => path,
            Self::Upload(id) => id,
        }
    }
}

/// A source without what may be secret in it: the query of a URL holds signatures.
pub fn shown(text: &str) -> String {
    match text.split_once('?') {
        Some((before, _)) => format!("{before}?…"),
        None => text.to_owned(),
    }
}

/// The extension of a file name, lower case, when it is one of a disk.
pub fn extension(name: &str) -> Option<String> {
    let extension = name.rsplit('/').next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str()).then_some(extension)
}

fn parameters(url: &str) -> Option<Vec<(&str, &str)>> {
    let query = url.split_once('?')?.1.split('#').next()?;
    Some(query.split('&').filter_map(|pair| pair.split_once('=')).collect())
}

/// Whether the URL is meant as a shared-access signature of a blob store.
fn is_shared_access(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or("").split(['/', '?']).next().unwrap_or("");
    let signed = parameters(url).is_some_and(|list| {
        let has = |key: &str| list.iter().any(|(name, _)| *name == key);
        has("sig") && (has("sv") || has("se") || has("sp") || has("sr"))
    });
    signed || host.split(':').next().unwrap_or("").contains(".blob.core.")
}

/// The rules that the text of the URL shows. A signature for a single object suffices.
fn check_shared_access(url: &str) -> Result<(), Broken> {
    if !is_shared_access(url) {
        return Ok(());
    }
    let Some(list) = parameters(url).filter(|list| !list.is_empty()) else {
        return Err(("SAS-01", shown(url), "a ? and the signature behind the name of the object"));
    };
    let value = |key: &str| list.iter().find(|(name, _)| *name == key).map(|(_, value)| decode(value));
    for key in ["st", "se"] {
        match value(key) {
            None => return Err(("SAS-02", format!("no {key}"), "a start (st) and an end (se)")),
            Some(time) if !is_time(&time) => {
                return Err(("SAS-06", format!("{key}={time}"), "YYYY-MM-DDThh:mm:ssZ"));
            }
            Some(_) => {}
        }
    }
    let rights = value("sp").unwrap_or_default();
    if !rights.contains('r') || rights.contains(|right| !"rl".contains(right)) {
        return Err((
            "SAS-03",
            format!("sp={rights}"),
            "read (r), with or without list (l), and nothing more",
        ));
    }
    if !value("sr").is_none_or(|scope| scope == "b" || scope == "c") {
        return Err(("SAS-08", format!("sr={}", value("sr").unwrap_or_default()), "sr=b, the object alone"));
    }
    let path = url.split('?').next().unwrap_or("");
    let name = path.rsplit('/').next().unwrap_or("");
    if name.contains(['%', '"', ' ']) {
        return Err(("SAS-04", name.to_owned(), "a name without blanks, % and quotes"));
    }
    if extension(name).is_none() || path.split('/').count() < 5 {
        return Err((
            "SAS-09",
            name.to_owned(),
            "https://HOST/CONTAINER/NAME.vhd, or another disk extension",
        ));
    }
    if value("sig").is_none_or(|signature| signature.is_empty()) {
        return Err(("SAS-05", "no sig".to_owned(), "a signature (sig)"));
    }
    Ok(())
}

/// Whether a shared-access URL can be used between two times, `YYYY-MM-DDThh:mm:ssZ`.
///
/// # Errors
/// `SAS-07`. The bytes are copied while the submission is validated, so the end may come soon after.
pub fn check_validity(url: &str, now: &str, soon: &str) -> Result<(), Broken> {
    let Some(list) = parameters(url).filter(|_| is_shared_access(url)) else { return Ok(()) };
    let value = |key: &str| list.iter().find(|(name, _)| *name == key).map(|(_, value)| decode(value));
    let (start, end) = (value("st").unwrap_or_default(), value("se").unwrap_or_default());
    if start.as_str() > now {
        return Err(("SAS-07", format!("st={start}"), "a start in the past, for example yesterday"));
    }
    if end.as_str() < soon {
        return Err(("SAS-07", format!("se={end}"), "an end at least one hour from now"));
    }
    Ok(())
}

fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00Z";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
        && (1..=12).contains(&text[5..7].parse::<u8>().unwrap_or(0))
        && (1..=31).contains(&text[8..10].parse::<u8>().unwrap_or(0))
}

/// Percent-decoding of ASCII, enough for times and rights.
fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The part of a version's name: the OS disk, or a data disk by its LUN.
pub fn reference(version: &str, lun: Option<usize>) -> String {
    match lun {
        None => version.to_owned(),
        Some(lun) => format!("{version}-lun{lun}"),
    }
}

/// Version and LUN of a [`reference`].
pub fn of_reference(reference: &str) -> Option<(&str, Option<usize>)> {
    let (version, lun) = match reference.split_once("-lun") {
        None => (reference, None),
        Some((version, lun)) => (version, Some(lun.parse().ok()?)),
    };
    parse_triple(version).map(|_| (version, lun))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAS: &str = "https://acct.blob.core.example/vhds/gw.vhd?sv=2017&st=2026-11-01T00%3A00%3A00Z\
                       &se=2026-12-24T00:00:00Z&sr=b&sp=rl&sig=abc";

    fn code(text: &str) -> &'static str {
        DiskSource::parse(text).map_or_else(|(code, ..)| code, |_| "")
    }

    #[test]
    fn each_rule_of_a_shared_access_url_is_named_by_what_breaks_it() {
        assert_eq!(code(SAS), "");
        for (rule, from, to) in [
            ("SAS-01", SAS.split_once('?').expect("a query").1, ""),
            ("SAS-02", "&st=2026-11-01T00%3A00%3A00Z", ""),
            ("SAS-02", "&se=2026-12-24T00:00:00Z", ""),
            ("SAS-03", "sp=rl", "sp=rwl"),
            ("SAS-03", "sp=rl", "sp=l"),
            ("SAS-04", "gw.vhd", "g%20w.vhd"),
            ("SAS-05", "&sig=abc", "&sig="),
            ("SAS-06", "2026-12-24T00:00:00Z", "2026-12-24"),
            ("SAS-06", "2026-12-24T00:00:00Z", "12/24/2026"),
            ("SAS-06", "2026-12-24T00:00:00Z", "2026-13-24T00:00:00Z"),
            ("SAS-08", "sr=b", "sr=s"),
            ("SAS-09", "gw.vhd", "gw.zip"),
            ("SAS-09", "/vhds/gw.vhd", "/gw.vhd"),
        ] {
            assert_eq!(code(&SAS.replace(from, to)), rule, "{from} -> {to}");
        }
        assert_eq!(code(&SAS.replace("sp=rl", "sp=r")), "", "a read URL of one object is enough");
        assert_eq!(code(&SAS.replace("sr=b", "sr=c")), "");
    }

    #[test]
    fn a_signature_must_hold_while_the_bytes_are_copied() {
        let check = |now, soon| check_validity(SAS, now, soon).map_err(|(code, ..)| code);
        assert_eq!(check("2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z"), Ok(()));
        assert_eq!(check("2026-12-23T23:30:00Z", "2026-12-24T00:30:00Z"), Err("SAS-07"));
        assert_eq!(check("2026-10-31T10:00:00Z", "2026-10-31T11:00:00Z"), Err("SAS-07"));
        assert_eq!(check_validity("https://store.example.org/gw.vhd?X-Amz-Signature=x", "", ""), Ok(()));
    }

    #[test]
    fn other_sources_are_paths_uploads_and_plain_urls() {
        assert_eq!(
            DiskSource::parse("file:/srv/gw.qcow2").map(DiskSource::extension),
            Ok(Some("qcow2".into()))
        );
        assert_eq!(code("file:gw.qcow2"), "F015");
        assert_eq!(code("upload:0190a5b0-0000-7000-8000-000000000000"), "");
        assert_eq!(code("upload:../etc/passwd"), "F015");
        assert_eq!(code("ftp://store.example.org/gw.vhd"), "F015");
        assert_eq!(code("https://store.example.org/gw.vhd?X-Amz-Signature=x"), "");
        assert_eq!(of_reference("1.0.0-lun3"), Some(("1.0.0", Some(3))));
        assert_eq!(of_reference("1.0.0"), Some(("1.0.0", None)));
        assert_eq!(of_reference("latest"), None);
    }
}
