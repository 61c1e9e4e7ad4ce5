//! The words: locale, key and arguments to text
