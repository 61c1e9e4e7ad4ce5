use super::*;
use crate::{Node, VolumeTree};
use mercat_guest::Kind;

/// Services that let in whoever asks.
fn opened(files: &[(&str, &str)]) -> Vec<String> {
    let service = |observed: &str| Some(observed.rsplit_once('(')?.1.trim_end_matches(')').to_owned());
    told(files).iter().filter_map(|observed| service(observed)).collect()
}

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let mut volume = VolumeTree::new("part1", "ext4");
    for (path, text) in files {
        let content = Some(text.as_bytes().to_vec());
        let (path, link, kind) = (format!("etc/pam.d/{path}"), String::new(), Kind::File);
        volume.insert(Node { path, kind, mode: 0o644, uid: 0, size: 0, link, content, kernel: None });
    }
    let tree = Tree::new(vec![volume], vec![(String::new(), 0)]);
    faults(&tree, &[]).into_iter().map(|(_, observed)| observed).collect()
}

const DEBIAN: &str = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\t\t\tpam_deny.so\n\
                      auth\trequired\t\t\tpam_permit.so\nauth\toptional\t\t\tpam_cap.so\n";
const RED_HAT: &str = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
    auth required pam_faillock.so preauth silent\n\
    auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
    auth [default=1 ignore=ignore success=ok] pam_localuser.so\nauth sufficient pam_unix.so nullok\n\
    auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
    auth sufficient pam_sss.so forward_pass\nauth required pam_deny.so\n";
const ARCH: &str = "auth required pam_faillock.so preauth\n-auth [success=2 default=ignore] pam_systemd_home.so\n\
    auth [success=1 default=bad] pam_unix.so try_first_pass nullok\nauth [default=die] pam_faillock.so authfail\n\
    auth optional pam_permit.so\nauth required pam_env.so\nauth required pam_faillock.so authsucc\n";

#[test]
fn stacks_of_distributions_let_nobody_in() {
    let with_sssd = "auth [success=2 default=ignore] pam_unix.so nullok\n\
        auth [success=1 default=ignore] pam_sss.so use_first_pass\nauth requisite pam_deny.so\n\
        auth required pam_permit.so\n";
    let login = "auth optional pam_faildelay.so delay=3000000\nauth requisite pam_nologin.so\n@include common-auth\n\
        auth optional pam_group.so\naccount required pam_permit.so\nsession optional pam_permit.so\n";
    let su = "auth sufficient pam_rootok.so\n#auth sufficient pam_permit.so\n@include common-auth\n";
    for common in [DEBIAN, with_sssd] {
        assert_eq!(
            opened(&[
                ("common-auth", common),
                ("login", login),
                ("su", su),
                ("sshd", "@include common-auth\n")
            ]),
            [""; 0]
        );
    }
    let sshd = "auth substack password-auth\nauth include postlogin\naccount required pam_sepermit.so\n";
    let su = "auth required pam_env.so\nauth sufficient pam_rootok.so\n\
        auth sufficient pam_succeed_if.so use_uid user ingroup wheel\nauth substack system-auth\nauth include postlogin\n";
    for shared in [RED_HAT, ARCH, "auth required pam_env.so\nauth required pam_unix.so try_first_pass\n"] {
        let files = [
            ("system-auth", shared),
            ("password-auth", shared),
            ("sshd", sshd),
            ("su", su),
            ("postlogin", ""),
        ];
        assert_eq!(opened(&files), [""; 0], "{shared}");
    }
    assert_eq!(opened(&[("sshd", "auth include missing\nauth sufficient pam_permit.so\n")]), [""; 0]);
}

#[test]
fn whoever_may_come_in_is_told() {
    for open in [
        "auth sufficient pam_permit.so\n",
        "auth required pam_permit.so\n",
        "auth sufficient pam_exec.so quiet /bin/true\nauth required pam_unix.so\n",
        "auth sufficient pam_wheel.so trust\nauth required pam_unix.so\n",
        "auth required /lib/security/pam_permit.so\n",
        "AUTH Sufficient \\\n pam_permit.so\n",
        "auth [success=done default=ignore] pam_permit.so\nauth required pam_deny.so\n",
        "auth [success=1 default=ignore] pam_succeed_if.so uid >= 0\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        "auth [default=1] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        "auth required pam_unix.so\nauth [default=reset] pam_env.so\nauth optional pam_permit.so\n",
        "auth sufficient pam_succeed_if.so uid >= 0\nauth required pam_deny.so\n",
        "auth required pam_env.so\nauth sufficient pam_permit.so\nauth required pam_unix.so\n",
        "auth sufficient pam_backdoor.so\nauth required pam_unix.so\n",
        "auth sufficient /opt/pam_unix.so\nauth required pam_unix.so\n",
        "auth sufficient /lib/../opt/pam_unix.so\nauth required pam_unix.so\n",
        "auth sufficient /lib-x/pam_unix.so\nauth required pam_unix.so\n",
        "auth sufficient /usr/lib/evil/pam_unix.so\nauth required pam_unix.so\n",
        "auth sufficient pam_unix.so.so\nauth required pam_unix.so\n",
        "auth sufficient pam_u2f.so alwaysok\nauth required pam_unix.so\n",
        "auth optional pam_echo.so \\ # x\nauth sufficient pam_permit.so\nauth required pam_unix.so\n",
        "auth [sufficient] pam_permit.so\nauth required pam_unix.so\n",
        "[auth] sufficient pam_permit.so\nauth required pam_unix.so\n",
        "auth [success = done default = ignore] pam_permit.so\nauth required pam_unix.so\n",
        "auth [success=bad success=done default=ignore] pam_permit.so\nauth required pam_unix.so\n",
        // The server asks as the superuser.
        "auth sufficient pam_rootok.so\nauth required pam_unix.so\n",
        "auth sufficient pam_succeed_if.so use_uid uid = 0\nauth required pam_unix.so\n",
        "auth sufficient pam_shells.so use_uid\nauth required pam_unix.so\n",
        "auth sufficient pam_faillock.so authsucc\nauth required pam_unix.so\n",
        "auth sufficient pam_tally2.so\nauth required pam_unix.so\n",
        "auth sufficient pam_oath.so usersfile=/etc/users.oath\nauth required pam_unix.so\n",
    ] {
        assert_eq!(opened(&[("sshd", open)]), ["sshd"], "{open}");
    }
    let asked = told(&[("sshd", "auth sufficient pam_backdoor.so\nauth required pam_unix.so\n")]);
    assert_eq!(asked, ["PAM asks pam_backdoor.so and no password (sshd)"]);
    for refused in [
        "auth optional pam_other.so\nauth required pam_unix.so\n",
        "auth sufficient /lib/security/pam_unix.so\n",
    ] {
        assert_eq!(told(&[("sshd", refused)]), [""; 0], "{refused}");
    }
    let all = [("common-auth", "auth required pam_permit.so\n"), ("sshd", "@include common-auth\n")];
    assert_eq!(opened(&all), ["common-auth"]);
    let below = [
        ("x", "auth sufficient pam_permit.so\nauth required pam_deny.so\n"),
        ("sshd", "auth substack x\nauth optional pam_cap.so\n"),
    ];
    assert_eq!(opened(&below), ["sshd"]);
    let behind =
        [("x", "auth sufficient pam_permit.so\n"), ("sshd", "auth substack x\nauth required pam_unix.so\n")];
    assert_eq!(opened(&behind), [""; 0]);
}

#[test]
fn what_a_service_leaves_open_is_asked_of_other() {
    let other = ("other", "auth required pam_permit.so\n");
    assert_eq!(opened(&[other, ("sshd", "session required pam_unix.so\n")]), ["sshd"]);
    assert_eq!(opened(&[("other", "auth required pam_deny.so\n"), ("sshd", "")]), [""; 0]);
    let open = opened(&[other, ("sshd", DEBIAN)]);
    assert!(!open.contains(&"sshd".to_owned()), "{open:?}");
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let again = "auth include sshd\n".repeat(10);
    assert_eq!(told(&[("sshd", &again)]), ["PAM reads more than 300 modules, or 16 files below each other"]);
}

#[test]
fn controls_are_read_as_the_library_reads_them() {
    let unix = |control: &str| format!("auth [{control}] pam_unix.so\nauth required pam_permit.so\n");
    for (control, opens) in [
        ("success=ok default=die", false),
        ("success=ok default=ignore", true),
        // No blanks between pairs, and any around the signs.
        ("success=okdefault=ignore", true),
        ("success=1default=ignore", true),
        ("success = ok default\t= ignore", true),
        // Of several defaults the first counts, of the others the last.
        ("default=die default=ignore", false),
        ("default=ignore default=die", true),
        // What cannot be read refuses.
        ("default=ignore success", false),
        ("default=ignore success=0", false),
        ("default=ignore success=nothing", false),
        ("success default=ignore", false),
    ] {
        assert_eq!(!opened(&[("sshd", &unix(control))]).is_empty(), opens, "{control}");
    }
}

#[test]
fn brackets_and_comments_in_lines_that_go_on_hide_nothing() {
    let evil = ("evil", "auth sufficient pam_permit.so\n");
    for sshd in
        ["auth [include] evil\n", "auth include [evil]\n", "@include evil x\n", "auth [ substack ] evil\n"]
    {
        assert!(!opened(&[("sshd", sshd), evil]).is_empty(), "{sshd}");
    }
    let within = "auth optional pam_echo.so \\\n# x\nauth required pam_unix.so\n";
    assert!(told(&[("sshd", within)]).iter().any(|observed| observed.contains("two ways")));
    let plain = "auth optional \\\n pam_echo.so\n# x\nauth required pam_unix.so\n";
    assert!(told(&[("sshd", plain)]).is_empty(), "{:?}", told(&[("sshd", plain)]));
}
