//! The text that LVM2 keeps its metadata in: sections of names and values.

use crate::ReadError;
use std::collections::BTreeMap;

const DEPTH_MAX: usize = 8;

/// A value of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Quoted text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Values in brackets.
    List(Vec<Node>),
    /// Names in braces.
    Section(Section),
}

/// Names and what they stand for.
pub(super) type Section = BTreeMap<String, Node>;

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(u8),
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the text begins on the disk.
    place: u64,
}

impl Lexer<'_> {
    fn refuse(&self, what: &str) -> ReadError {
        ReadError::refused("LVM-03", self.place, format!("LVM metadata {what} (at byte {} of it)", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn token(&mut self) -> Result<Option<Token>, ReadError> {
        loop {
            match self.peek() {
                // The text ends with a NUL.
                None | Some(0) => return Ok(None),
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                Some(b'"') => return self.text().map(Some),
                Some(mark @ (b'{' | b'}' | b'[' | b']' | b'=' | b',')) => {
                    self.at += 1;
                    return Ok(Some(Token::Mark(mark)));
                }
                Some(_) => return self.word().map(Some),
            }
        }
    }

    fn word(&mut self) -> Result<Token, ReadError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte)) {
            self.at += 1;
        }
        match self.bytes.get(start..self.at) {
            Some(word) if !word.is_empty() => Ok(Token::Word(String::from_utf8_lossy(word).into_owned())),
            _ => Err(self.refuse("has a character that means nothing")),
        }
    }

    fn text(&mut self) -> Result<Token, ReadError> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                None | Some(0) => return Err(self.refuse("has text without its end")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token::Text(String::from_utf8_lossy(&text).into_owned()));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.extend(self.peek());
                }
                Some(byte) => text.push(byte),
            }
            self.at += 1;
        }
    }
}

/// Reads a text that begins at a place of the disk.
pub(super) fn parse(bytes: &[u8], place: u64) -> Result<Section, ReadError> {
    let mut lexer = Lexer { bytes, at: 0, place };
    let mut stack: Vec<(String, Section)> = Vec::new();
    let mut section = Section::new();
    while let Some(token) = lexer.token()? {
        let name = match token {
            Token::Word(name) => name,
            Token::Mark(b'}') => {
                let (name, outer) = stack.pop().ok_or_else(|| lexer.refuse("closes more than it opens"))?;
                let inner = std::mem::replace(&mut section, outer);
                insert(&lexer, &mut section, name, Node::Section(inner))?;
                continue;
            }
            _ => return Err(lexer.refuse("has something else where a name must be")),
        };
        match lexer.token()? {
            Some(Token::Mark(b'{')) if stack.len() < DEPTH_MAX => {
                stack.push((name, std::mem::take(&mut section)));
            }
            Some(Token::Mark(b'=')) => {
                let value = value(&mut lexer)?;
                insert(&lexer, &mut section, name, value)?;
            }
            _ => return Err(lexer.refuse("has a name without a value, or is too deep")),
        }
    }
    if stack.is_empty() { Ok(section) } else { Err(lexer.refuse("opens more than it closes")) }
}

fn insert(lexer: &Lexer, section: &mut Section, name: String, node: Node) -> Result<(), ReadError> {
    match section.insert(name, node) {
        None => Ok(()),
        Some(_) => Err(lexer.refuse("has a name twice")),
    }
}

fn value(lexer: &mut Lexer) -> Result<Node, ReadError> {
    let token = lexer.token()?;
    if token != Some(Token::Mark(b'[')) {
        return scalar(lexer, token);
    }
    let mut list = Vec::new();
    loop {
        match lexer.token()? {
            Some(Token::Mark(b']')) => return Ok(Node::List(list)),
            Some(Token::Mark(b',')) if !list.is_empty() => {
                let token = lexer.token()?;
                list.push(scalar(lexer, token)?);
            }
            token if list.is_empty() => list.push(scalar(lexer, token)?),
            _ => return Err(lexer.refuse("has a broken list")),
        }
    }
}

fn scalar(lexer: &Lexer, token: Option<Token>) -> Result<Node, ReadError> {
    match token {
        Some(Token::Text(text)) => Ok(Node::Text(text)),
        Some(Token::Word(word)) => {
            word.parse().map(Node::Number).map_err(|_| lexer.refuse("has a value that is no number"))
        }
        _ => Err(lexer.refuse("has something else where a value must be")),
    }
}
