//! Variables of the environment that are meant for a secret.

/// The last part of the name of a variable that holds a secret.
const LAST: [&str; 8] = ["PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "PASS", "SECRET", "TOKEN", "APIKEY"];
/// The last two parts.
const LAST_TWO: [&str; 9] = [
    "API_KEY",
    "APP_KEY",
    "SECRET_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "MASTER_KEY",
    "KEY_BASE",
];
/// Values that switch something on or off, or say that there is none.
const SWITCHES: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "0", "1", "none", "null", "nil", "undefined"];

/// The name of a variable (`NAME=value`) that is for a secret and is given a value, whether or not that looks like a
/// secret: who starts the image and does not set the variable runs it with what everybody can read.
pub fn fixed_secret(variable: &str) -> Option<&str> {
    let (name, value) = variable.split_once('=')?;
    let parts = parts(name);
    let last = parts.last()?;
    // Of `PWD` and `PASS` alone the first is a directory, the second anything.
    let one = LAST.contains(&last.as_str()) && (last != "PASS" || parts.len() > 1)
        || last.ends_with("PASSWORD")
        || last.ends_with("PASSWD")
        || last == "PWD" && parts.len() > 1;
    let two = parts.len() > 1 && LAST_TWO.contains(&parts[parts.len() - 2..].join("_").as_str());
    ((one || two) && is_fixed(value)).then_some(name)
}

/// The variables (`NAME=value`) that a step of an image's history sets or was given: `ARG`, `ENV`, and the build arguments
/// that builders write in front of a command (`|1 NAME=value /bin/sh -c ...`). Values end at a blank.
pub fn variables_of_step(step: &str) -> impl Iterator<Item = &str> {
    let step = step.trim_start_matches("/bin/sh -c #(nop)").trim_start();
    let given = step.trim_start_matches("RUN ").strip_prefix('|').and_then(|rest| rest.split_once(' '));
    let given =
        given.filter(|(count, _)| count.bytes().all(|byte| byte.is_ascii_digit())).map(|(_, rest)| rest);
    let set = || step.strip_prefix("ARG ").or_else(|| step.strip_prefix("ENV "));
    let rest = given.or_else(set).unwrap_or_default();
    // The shell that the arguments are given to.
    let is_shell = move |word: &&str| given.is_some() && word.starts_with('/');
    rest.split_whitespace().take_while(move |word| !is_shell(word)).filter(|word| word.contains('='))
}

/// The parts of a name, also of one in which every part begins with a capital.
fn parts(name: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if matches!(c, '_' | '-' | '.') || was_small && c.is_ascii_uppercase() {
            out.push(String::new());
        }
        if let Some(part) = out.last_mut().filter(|_| !matches!(c, '_' | '-' | '.')) {
            part.push(c.to_ascii_uppercase());
        }
        was_small = c.is_ascii_lowercase();
    }
    out
}

/// Whether a value is one, and no reference to where it is.
fn is_fixed(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let is_mask = value.chars().all(|c| "*xX.-_ ".contains(c));
    let of_shell = value.strip_prefix('$').is_some_and(|rest| {
        rest.starts_with(['{', '(', '_']) || rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    let is_enclosed = [('<', '>'), ('{', '}'), ('%', '%')];
    let is_enclosed =
        is_enclosed.iter().any(|(first, last)| value.starts_with(*first) && value.ends_with(*last));
    let is_elsewhere = of_shell
        || is_enclosed
        || value.starts_with(['/', '@'])
        || value.starts_with("./")
        || value.contains("://");
    !is_mask && !is_elsewhere && !SWITCHES.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::{fixed_secret, variables_of_step};

    #[test]
    fn a_step_of_the_history_tells_what_it_was_given() {
        for (step, variables) in [
            ("ARG DB_PASSWORD=admin", vec!["DB_PASSWORD=admin"]),
            ("ENV A=1 B=2", vec!["A=1", "B=2"]),
            ("/bin/sh -c #(nop)  ARG NPM_TOKEN=x", vec!["NPM_TOKEN=x"]),
            ("RUN |2 A=1 B=2 /bin/sh -c make X=1 # buildkit", vec!["A=1", "B=2"]),
            ("|1 A=1 /bin/sh -c make", vec!["A=1"]),
            ("RUN |2 TITLE=My Shop B=2 /bin/bash -o pipefail -c make X=1", vec!["TITLE=My", "B=2"]),
            ("ENV A=my shop B=2", vec!["A=my", "B=2"]),
            ("|x A=1", vec![]),
            ("RUN /bin/sh -c A=1 make", vec![]),
            ("ARG A", vec![]),
            ("COPY a=b /x", vec![]),
        ] {
            assert_eq!(variables_of_step(step).collect::<Vec<_>>(), variables, "{step}");
        }
    }

    #[test]
    fn a_variable_for_a_secret_that_has_a_value_is_told_by_its_name() {
        for variable in [
            "DB_PASSWORD=mysecretpassword",
            "MYSQL_ROOT_PASSWORD=root",
            "PASSWORD=123456",
            "GRAFANA_ADMIN_PASS=admin",
            "spring.datasource.password=changeme",
            "PGPASSWORD=postgres",
            "APP_SECRET_KEY=dev",
            "API_TOKEN='letmein'",
            "DB_PWD=a b",
            "SECRET_KEY_BASE=dev",
            "APP_KEY=base64:abc",
            "accessToken=abc",
            "DB_PASSWORD=$ecret!1",
            "DB_PASSWORD={abc",
        ] {
            assert_eq!(fixed_secret(variable), variable.split('=').next(), "{variable}");
        }
    }

    #[test]
    fn what_is_empty_a_switch_a_reference_or_not_for_a_secret_is_silent() {
        for variable in [
            "DB_PASSWORD",
            "DB_PASSWORD=",
            "DB_PASSWORD=\"\"",
            "ALLOW_EMPTY_PASSWORD=yes",
            "DB_PASSWORD=${SECRET}",
            "DB_PASSWORD=$DB",
            "DB_PASSWORD=$(cat /run/x)",
            "DB_PASSWORD={{ vault.db }}",
            "DB_PASSWORD=%DB%",
            "PASSWORD_MIN_LENGTH=12",
            "DB_PASSWORD=<set me>",
            "DB_PASSWORD=********",
            "DB_PASSWORD_FILE=/run/secrets/db",
            "DB_PASSWORD=/run/secrets/db",
            "TOKEN=https://idp.example/token",
            "OLDPWD=work",
            "PWD=work",
            "PASS=2",
            "COMPASS=north",
            "AWS_ACCESS_KEY_ID=x",
            "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
            "PATH=/usr/bin",
            "=x",
            "",
        ] {
            assert_eq!(fixed_secret(variable), None, "{variable}");
        }
    }
}
