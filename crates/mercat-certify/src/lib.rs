//! The inspectors: specimen and knowledge to findings
