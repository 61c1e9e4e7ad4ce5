//! What a file is to those who write it: in settings and programs a name tells that its value is a password, which in
//! other bytes it does not.

/// Bytes of a file that may hold settings or be written by hand, most: less than 1 MiB.
pub const WRITING_BYTES_MAX: usize = (1 << 20) - 1;

/// Endings of files that hold settings: a value may stand without quotes.
const SETTINGS: [&str; 47] = [
    "bash",
    "bashrc",
    "bat",
    "cf",
    "cfg",
    "cmd",
    "cnf",
    "conf",
    "config",
    "env",
    "hcl",
    "htpasswd",
    "inf",
    "ini",
    "json",
    "json5",
    "ksh",
    "ldif",
    "local",
    "mount",
    "nmconnection",
    "netrc",
    "network",
    "ovpn",
    "plist",
    "profile",
    "properties",
    "props",
    "rc",
    "reg",
    "secret",
    "secrets",
    "service",
    "sh",
    "sql",
    "tf",
    "tfstate",
    "tfvars",
    "seed",
    "toml",
    "txt",
    "xml",
    "yaml",
    "yml",
    "zsh",
    "j2",
    "tmpl",
];
/// Endings of programs in source: a value stands in quotes.
const PROGRAMS: [&str; 34] = [
    "c", "cc", "cjs", "cpp", "cs", "dart", "ex", "exs", "go", "gradle", "groovy", "ipynb", "java", "js",
    "jsp", "jsx", "kt", "kts", "lua", "mjs", "php", "pl", "pm", "ps1", "psm1", "py", "r", "rb", "rs",
    "scala", "swift", "ts", "tsx", "vue",
];
/// Names of files without an ending that hold settings.
const NAMES: [&str; 15] = [
    "Dockerfile",
    "Containerfile",
    "Makefile",
    "Jenkinsfile",
    "Vagrantfile",
    "Procfile",
    "Caddyfile",
    "config",
    "crontab",
    "credentials",
    "htpasswd",
    "kubeconfig",
    "msmtprc",
    "sasl_passwd",
    "user-data",
];

/// What a file is to those who write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writing {
    /// Bytes of any kind.
    #[default]
    Other,
    /// Settings, or a script of a shell.
    Settings,
    /// A program in source.
    Program,
}

impl Writing {
    /// By the name of a file and how it begins.
    pub fn of(path: &str, head: &[u8]) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ending = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let is_among = |set: &[&str], ending: &Option<String>| {
            ending.as_ref().is_some_and(|ending| set.contains(&ending.as_str()))
        };
        let last = ending(name);
        if is_among(&PROGRAMS, &last) {
            return Self::Program;
        }
        // Of `.env.production` and `Dockerfile.dev`, the first part tells.
        let first = name.trim_start_matches('.').split('.').next().unwrap_or(name);
        let hidden =
            name.starts_with('.') && (first == "env" || first.ends_with("rc") || first.ends_with("_history"));
        if is_among(&SETTINGS, &last) || hidden || NAMES.contains(&first) {
            return Self::Settings;
        }
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match line.strip_prefix(b"#!") {
            Some(program) if program.trim_ascii_end().ends_with(b"sh") => Self::Settings,
            Some(_) => Self::Program,
            // What a system keeps its settings in, whatever it is called.
            None if last.is_none() && (path.starts_with("etc/") || path.contains("/etc/")) => Self::Settings,
            None => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Writing;

    #[test]
    fn files_are_known_by_name_or_by_their_first_line() {
        let of = |path: &str| Writing::of(path, b"");
        for path in [
            "app/config.yml",
            "srv/.env",
            "srv/.env.production",
            "root/.bash_history",
            "root/.npmrc",
            "a.jar!/application.properties",
            "build/Dockerfile.dev",
            "etc/ppp/chap-secrets",
            "app/Web.CONFIG",
        ] {
            assert_eq!(of(path), Writing::Settings, "{path}");
        }
        for path in ["app/config.js", "app/settings.py", "x/Main.java"] {
            assert_eq!(of(path), Writing::Program, "{path}");
        }
        for path in ["bin/ls", "lib/libc.so.6", "a.png", "readme.md", "opt/etcetera"] {
            assert_eq!(of(path), Writing::Other, "{path}");
        }
        assert_eq!(Writing::of("bin/start", b"#!/bin/bash\nx"), Writing::Settings);
        assert_eq!(Writing::of("bin/start", b"#!/usr/bin/env python3\n"), Writing::Program);
    }
}
