//! The shapes: bytes to structure, strictly
