use super::*;

#[test]
fn tables_of_distributions_are_told_from_jobs() {
    for usual in [
        "SHELL=/bin/sh",
        "PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin",
        "MAILTO=root",
        "START_HOURS_RANGE=3-22",
        "17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly",
        "25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
        "25 6 * * * root test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
        "-*/15 * * * *   root  test -x /usr/lib/cron/run-crons && /usr/lib/cron/run-crons >/dev/null 2>&1",
        "1\t5\tcron.daily\t\tnice run-parts /etc/cron.daily",
        "@monthly 45 cron.monthly nice run-parts /etc/cron.monthly",
        "*/15\t*\t*\t*\t*\trun-parts /etc/periodic/15min",
    ] {
        assert!(is_usual(usual), "{usual}");
    }
    for job in [
        "* * * * * root php /srv/x.php",
        "@reboot root /opt/x",
        "SHELL=/opt/x",
        "BASH_ENV=/opt/x",
        "PATH=/opt/bin:/usr/bin",
        "17 * * * * root cd / && run-parts --report /etc/cron.hourly; /opt/x",
        "* * * * * root X=1 lua x",
        "1 5 x nice run-parts /etc/cron.other",
    ] {
        assert!(!is_usual(job), "{job}");
    }
}
