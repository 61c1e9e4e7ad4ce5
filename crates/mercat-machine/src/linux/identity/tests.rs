use super::*;

#[test]
fn password_fields_that_nobody_can_use() {
    for locked in ["*", "!", "!!", "x", "", "!$6$salt$hash", "*LK*", "locked", "pw"] {
        assert!(!is_password(locked), "{locked}");
    }
    for open in ["$6$salt$hash", "$y$j9T$x$y", "aaN1ZUwhW7to6"] {
        assert!(is_password(open), "{open}");
    }
}

#[test]
fn only_the_stub_of_cloud_init_is_no_key() {
    let stub = "no-port-forwarding,no-agent-forwarding,command=\"echo 'Please login as the user \
                \\\"debian\\\" rather than the user \\\"root\\\".';echo;sleep 10;exit 142\" ssh-ed25519 AAAA x";
    assert!(is_stub(stub));
    assert!(!is_stub("ssh-ed25519 AAAA x"));
    assert!(!is_stub("command=\"echo hi\" ssh-ed25519 AAAA x"));
}
