//! What a kind of credential looks like, and how bytes are compared with it.

use crate::filter::Keyword;
use crate::{context, shape};
use std::ops::Range;

/// Which bytes may stand in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Digit,
    /// Hexadecimal in lower case.
    Hex,
    /// Hexadecimal in either case.
    HexAny,
    /// Lower case and digits.
    Lower,
    /// Upper case and digits.
    Upper,
    Alnum,
    /// Letters, digits, `_` and `-`: also base64url.
    Url,
    /// Base64 without padding.
    Base64,
    /// What [`Class::Url`] has, and `.`.
    Dotted,
    /// Lower case hexadecimal and `-`, for UUIDs.
    Uuid,
    /// Whatever a password is made of, without quotes and what ends an assignment.
    Password,
}

impl Class {
    pub(crate) fn has(self, byte: u8) -> bool {
        match self {
            Self::Digit => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::HexAny => byte.is_ascii_hexdigit(),
            Self::Lower => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            Self::Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Uuid => Self::Hex.has(byte) || byte == b'-',
            Self::Password => {
                byte.is_ascii_graphic()
                    && !matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b';' | b',' | b'<' | b'>')
            }
        }
    }
}

/// A part of a credential, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// These bytes.
    Lit(&'static str),
    /// These letters, in either case.
    NoCase(&'static str),
    /// At least and at most so many bytes of a class; as many as there are.
    Run(Class, u16, u16),
    /// What stands between a name and its value: quotes, blanks, `=` or `:`.
    Assign,
}

/// What else a credential must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Entropy for its length and alphabet, and no placeholder.
    Plain,
    /// The last six bytes are a checksum of those between prefix and them (GitHub, npm).
    Checksum,
    /// Base64 of so many bytes.
    Bytes(u16),
    /// A UUID: 8-4-4-4-12.
    Uuid,
    /// A password that somebody chose: two sorts of characters or more, no reference to a variable.
    Chosen,
    /// Letters and digits both.
    Mixed,
    /// As [`Check::Mixed`], and no part of a longer name: it begins with a word that names have.
    Alone,
    /// As [`Check::Mixed`], and no line of base64 that goes on in others.
    OneLine,
    /// Its reader knows it by its name, in which the keyword is.
    Named,
    /// What a program made or somebody chose, where no name of a service tells that it is a credential: signs,
    /// digits and letters, or hexadecimal, and no code.
    Unnamed,
}

pub(crate) type Reader = fn(&[u8], usize) -> context::Seen;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Parts, and the first of those that are the secret.
    Parts(&'static [Part], usize),
    /// Written out, with the keywords that call for it.
    Written(&'static [&'static str], Reader),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) check: Check,
}

/// Kinds that are read in their surroundings and stand behind a name.
const NAMED: [&str; 2] = ["password", "password of a login"];

/// A credential that its own beginning gives away.
pub(crate) const fn token(name: &'static str, parts: &'static [Part]) -> Kind {
    Kind { name, form: Form::Parts(parts, 0), check: Check::Plain }
}

/// A credential that its name in front gives away: name, [`Part::Assign`], value.
pub(crate) const fn named(name: &'static str, parts: &'static [Part]) -> Kind {
    Kind { name, form: Form::Parts(parts, 2), check: Check::Plain }
}

/// A credential that needs reading of its surroundings.
pub(crate) const fn written(name: &'static str, keywords: &'static [&'static str], reader: Reader) -> Kind {
    Kind { name, form: Form::Written(keywords, reader), check: Check::Plain }
}

impl Kind {
    pub(crate) const fn with(self, check: Check) -> Self {
        Self { check, ..self }
    }

    pub(crate) fn keywords(&self) -> Vec<Keyword> {
        match self.form {
            Form::Written(keywords, _) => {
                keywords.iter().map(|text| Keyword { text: text.as_bytes(), folded: false }).collect()
            }
            Form::Parts([Part::NoCase(text), ..], _) => vec![Keyword { text: text.as_bytes(), folded: true }],
            Form::Parts([Part::Lit(text), ..], _) => vec![Keyword { text: text.as_bytes(), folded: false }],
            Form::Parts(..) => Vec::new(),
        }
    }

    /// The name that a credential is assigned to, of which the keyword is a part or that stands in front of it; empty where
    /// it has none.
    pub(crate) fn name_at(&self, window: &[u8], keyword: usize, secret: usize) -> String {
        /// Characters of a name, most.
        const NAME: usize = 64;
        let is_sign = |byte: &u8| b" \t=:>\"'`\\".contains(byte);
        let in_name = |byte: &u8| Class::Dotted.has(*byte);
        let end = match self.form {
            Form::Parts([_, Part::Assign, ..], _) => {
                keyword + window[keyword..].iter().take(NAME).take_while(|byte| in_name(byte)).count()
            }
            Form::Written(..) if self.check == Check::Named => {
                keyword + window[keyword..].iter().take(NAME).take_while(|byte| in_name(byte)).count()
            }
            Form::Written(..) if NAMED.contains(&self.name) => {
                let before = &window[secret.saturating_sub(NAME)..secret];
                secret - before.iter().rev().take_while(|byte| is_sign(byte)).count()
            }
            _ => return String::new(),
        };
        let before = &window[end.saturating_sub(NAME + 1)..end];
        let length = before.iter().rev().take_while(|byte| in_name(byte)).count();
        let name = if length > NAME { &[] } else { &before[before.len() - length..] };
        String::from_utf8_lossy(name).into_owned()
    }

    /// Reads the credential whose keyword stands at `at`.
    pub(crate) fn read(&self, window: &[u8], at: usize) -> context::Seen {
        let (parts, first) = match self.form {
            Form::Written(_, reader) => return reader(window, at),
            Form::Parts(parts, first) => (parts, first),
        };
        let (end, found) = follow(window, at, parts, first);
        let looked = end - at + 2;
        let whole = found.filter(|secret| {
            self.stands_alone(window, secret, parts) && self.passes(&window[secret.clone()])
        });
        context::Seen { looked, secret: whole, inner: None }
    }

    /// Whether the bytes around do not make it part of something longer.
    fn stands_alone(&self, window: &[u8], secret: &Range<usize>, parts: &[Part]) -> bool {
        // What its own sum proves is one wherever it is: rows of databases have columns without anything between.
        if self.check == Check::Checksum {
            return true;
        }
        let before = secret.start.checked_sub(1).map(|at| window[at]);
        let after = window.get(secret.end).copied();
        // The sign in front may be escaped, which ends with a letter.
        let assigned = matches!(parts.get(1), Some(Part::Assign));
        let joins =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' && matches!(self.check, Check::Alone);
        let opens = assigned || !before.is_some_and(joins);
        let closes = match parts.last() {
            Some(Part::Run(class, ..)) => !after.is_some_and(|byte| class.has(byte)),
            _ => true,
        };
        if matches!(self.check, Check::OneLine) && shape::goes_on(window, secret) {
            return false;
        }
        // Where a length stands in front, the next byte belongs to something else.
        opens && closes || shape::is_counted(window, secret, opens)
    }

    fn passes(&self, secret: &[u8]) -> bool {
        if shape::is_placeholder(secret) {
            return false;
        }
        let random = || shape::is_random(secret);
        match self.check {
            Check::Plain | Check::Named => random(),
            Check::Checksum => shape::has_checksum(secret),
            Check::Bytes(count) => {
                random() && shape::base64(secret).is_some_and(|b| b.len() == usize::from(count))
            }
            Check::Uuid => shape::is_uuid(secret) && random(),
            Check::Chosen => shape::is_chosen(secret),
            Check::Unnamed => random() && shape::is_unnamed(secret),
            Check::Mixed | Check::Alone | Check::OneLine => {
                random()
                    && secret.iter().any(u8::is_ascii_digit)
                    && secret.iter().any(u8::is_ascii_lowercase)
                    && secret.iter().any(u8::is_ascii_uppercase)
            }
        }
    }
}

/// Compares part by part. Gives how far it got, and the secret when all are there.
fn follow(window: &[u8], start: usize, parts: &[Part], first: usize) -> (usize, Option<Range<usize>>) {
    let mut at = start;
    let mut secret = start;
    for (index, part) in parts.iter().enumerate() {
        if index == first {
            secret = at;
        }
        let rest = &window[at..];
        let taken = match part {
            Part::Lit(text) => rest.starts_with(text.as_bytes()).then_some(text.len()),
            Part::NoCase(text) => rest
                .get(..text.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(text.as_bytes()))
                .then_some(text.len()),
            Part::Run(class, least, most) => {
                let most = usize::from(*most);
                let have = rest.iter().take(most).take_while(|byte| class.has(**byte)).count();
                (have >= usize::from(*least)).then_some(have)
            }
            Part::Assign => context::assign(rest),
        };
        match taken {
            Some(count) => at += count,
            None => return (at, None),
        }
    }
    (at, Some(secret..at))
}
