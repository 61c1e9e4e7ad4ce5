//! Passwords by their names, in files that somebody wrote.

use super::RULES;
use crate::Writing;

/// Passwords as people choose them, and as programs make them.
const PASSWORDS: [&str; 7] = [
    "KlYrKBWfQFOI",
    "hK3v9Qz71xWm",
    "Tokyo-x8Kd2p",
    "Winter2024!",
    "sunflower88",
    "S3cure#Pa55",
    "correct9horse7battery",
];

/// Where people leave them; `~` is the password.
const PLACES: &[(&str, &str)] = &[
    ("settings.xml", "<server>\n<username>deploy</username><password>~</password>\n</server>"),
    ("job.xml", "<hudson.x><passphrase>\n  ~\n</passphrase></hudson.x>"),
    ("hibernate.cfg.xml", "<property name=\"hibernate.connection.password\">~</property>"),
    ("core-site.xml", "<property><name>fs.s3a.password</name>\n  <value>~</value></property>"),
    ("app.plist", "<key>password</key>\n<string>~</string>"),
    ("server.xml", "<Certificate keyStoreFile=\"conf/k.jks\" keyStorePassword=\"~\"/>"),
    ("server.xml", "<Connector keystorePass=\"~\"/>"),
    ("Web.config", "<add key=\"SmtpPassword\" value=\"~\" />"),
    ("init.sql", "CREATE USER 'app'@'%' IDENTIFIED BY '~';"),
    ("init.sql", "CREATE ROLE app LOGIN PASSWORD '~';"),
    ("init.sql", "CREATE LOGIN app WITH PASSWORD = '~';"),
    ("init.sh", "psql -c \"alter user app identified by '~'\""),
    ("config.php", "$password = getenv('DB_PASSWORD') ?: '~';"),
    ("config.php", "return ['password' => '~'];"),
    ("config.php", "'password' => env('DB_PASSWORD', '~'),"),
    ("config.php", "define('FTP_PASS', '~');"),
    ("deploy.ps1", "$s = ConvertTo-SecureString \"~\" -AsPlainText -Force"),
    ("deploy.ps1", "New-LocalUser -Name x -Password '~'"),
    ("share.sh", "smbclient //srv/share -U 'app%~' -c ls"),
    ("enc.sh", "openssl enc -aes-256-cbc -in a -out b -k ~\n"),
    ("enc.sh", "usermod -p $(openssl passwd -1 ~) app"),
    ("web.sh", "htpasswd -bc /etc/nginx/users admin ~\n"),
    ("web.sh", "htpasswd -nbB admin ~ > users\n"),
    ("pack.sh", "zip -r -P ~ out.zip dir"),
    ("send.sh", "lftp -u deploy,~ ftp.internal"),
    ("user.sh", "echo ~ | passwd --stdin app"),
    ("env.sh", "DB_PASS='~' ./run.sh"),
    ("run.sh", "export MYAPP_PASSWD=~ && ./run"),
    ("srv/.env.production", "SMTP_PASS=~"),
    ("Dockerfile", "FROM x\nENV APP_PASSWORD ~\n"),
    ("config.js", "module.exports = { db: { password: '~' } };"),
    ("config.js", "  pass: process.env.SMTP_PASS || '~',"),
    ("config.ts", "auth: { user: 'x', pass: `~` }"),
    ("settings.py", "DATABASES = {'default': {'PASSWORD': '~'}}"),
    ("settings.py", "conn = connect(user='a', passwd='~')"),
    ("app.rb", ":password => \"~\""),
    ("values.yaml", "auth:\n  rootPassword: ~\n  enabled: true\n"),
    ("app.toml", "[db]\npassword = \"~\" # main\n"),
    ("etc/app/main", "bindpw ~\n"),
    ("redis.conf", "requirepass ~\n"),
    ("config.json", "{\"password\": \"~\"}"),
    ("config.json", "{\"Env\": \"{\\\"db_passwd\\\":\\\"~\\\"}\"}"),
    ("main.tf", "variable \"db_password\" {\n  type = string\n  default = \"~\"\n}"),
    ("Main.java", "ds.setPassword(\"~\");"),
    ("main.go", "password := \"~\""),
    ("Program.cs", "public string Password = @\"~\";"),
    ("lib.rs", "const DB_PASSWORD: &'static str = \"~\";"),
    ("users.htpasswd", "admin:{PLAIN}~\n"),
    ("people.ldif", "dn: cn=x\nuserPassword: ~\n"),
    ("etc/fstab", "//srv/x /mnt cifs username=app,password=~ 0 0\n"),
    ("build.gradle", "storePassword '~'"),
    ("app.service", "[Service]\nEnvironment=\"DB_PASSWORD=~\" \"X=1\"\n"),
    ("odbc.ini", "[x]\nPWD = ~\n"),
    ("wpa.conf", "network={\n ssid=\"x\"\n psk=\"~\"\n}\n"),
    ("radius.conf", "bob Cleartext-Password := \"~\"\n"),
    ("r.py", "r = requests.get(url, auth=('deploy', '~'))\n"),
    ("r.py", "auth = HTTPBasicAuth('deploy', '~')\n"),
    ("r.py", "ftp.login('deploy', '~')\n"),
    ("r.py", "PASS = '~'\n"),
    ("r.py", "pw = '~'\n"),
    ("A.java", "DriverManager.getConnection(url, \"user\", \"~\");"),
    ("A.java", "@Value(\"${db.password:~}\") String p;"),
    ("A.cs", "new NetworkCredential(\"user\", \"~\")"),
    ("db.pl", "DBI->connect($dsn, 'user', '~')"),
    ("db.php", "new PDO($dsn, 'user', '~');"),
    ("db.php", "mysqli_connect('localhost', 'root', '~', 'shop');"),
    ("db.js", "const pass = \"~\""),
    ("db.ts", "const dbPass: string = '~';"),
    ("db.go", "sql.Open(\"mysql\", \"user:~@tcp(db)/shop\")"),
    ("arm.json", "{\"adminPassword\": {\"value\": \"~\"}}"),
    ("arm.json", "{\n \"adminPassword\": {\n  \"value\": \"~\"\n }\n}"),
    ("unattend.xml", "<AdministratorPassword>\n<Value>~</Value>\n</AdministratorPassword>"),
    ("user.bat", "net user admin ~ /add\r\n"),
    ("vnc.sh", "x11vnc -passwd ~ -display :0\n"),
    ("Makefile", "PASS := ~\n"),
    ("run.sh", "DB_PW=~\n"),
    ("ora.sh", "sqlplus system/~@db\n"),
    ("pack.sh", "7z a -p~ out.7z dir\n"),
    ("az.sh", "az login -u x -p ~\n"),
    ("mq.sh", "mosquitto_pub -u x -P ~ -t a\n"),
    ("mq.sh", "rabbitmqctl add_user x ~\n"),
    ("inventory.ini", "h1 ansible_host=10.0.0.1 ansible_ssh_pass=~\n"),
    ("etc/NetworkManager/w.nmconnection", "[wifi-security]\npsk=~\n"),
    ("etc/sssd/sssd.conf", "ldap_default_authtok = ~\n"),
    ("etc/snmp/snmpd.conf", "rwcommunity ~ 10.0.0.0/8\n"),
    ("etc/snmp/snmpd.conf", "createUser mon SHA \"~\" AES\n"),
    ("etc/ipsec.secrets", "10.0.0.1 10.0.0.2 : PSK \"~\"\n"),
    ("haproxy.cfg", "user admin insecure-password ~\n"),
    ("haproxy.cfg", "  stats auth admin:~\n"),
    ("preseed.cfg", "d-i passwd/root-password password ~\n"),
    ("user-data", "#cloud-config\npassword: ~\n"),
    ("msmtprc", "password ~\n"),
    ("compose.yml", "  DB_PASSWORD: ${PGPW:-~}\n"),
    ("config.toml", "password = \"\"\"~\"\"\"\n"),
    ("a.swift", "let password: String = \"~\"\n"),
    ("x.ipynb", "\"password = \\\"~\\\"\\n\""),
    ("user.sh", "echo ~ | sudo -S ls\n"),
    ("user.sh", "echo -n \"~\" | docker login -u u --password-stdin\n"),
    ("user.sh", "echo -n ~ | cryptsetup luksOpen /dev/sda1 x\n"),
    ("user.sh", "echo \"Logging in\"; echo ~ | sudo -S ls\n"),
    ("user.sh", "echo -e ~ | sudo -S ls\n"),
    ("user.sh", "echo  ~ | sudo -S ls\n"),
    ("user.sh", "printf '~' | docker login -u u --password-stdin\n"),
    ("user.sh", "mysqladmin -u root password ~\n"),
    ("user.sh", "redis-cli CONFIG SET requirepass ~\n"),
    ("user.sh", "nmcli dev wifi connect corp password ~\n"),
    ("user.sh", "xfreerdp /u:x /p:~ /v:h\n"),
    ("app.yml", "passwort: ~\n"),
    ("app.properties", "mot_de_passe=~\n"),
    ("app.properties", "contraseña=~\n"),
    ("app.yml", "パスワード: ~\n"),
    ("app.txt", "暗証番号：~\n"),
    ("app.py", "kennwort = '~'\n"),
];

fn told(path: &str, text: &str) -> Vec<String> {
    let mut told = Vec::new();
    let writing = Writing::of(path, text.as_bytes());
    RULES.scan_file(text.as_bytes(), writing, |secret| told.push(secret.told()));
    told
}

#[test]
fn a_name_tells_a_password_in_what_somebody_wrote() {
    for (path, text) in PLACES {
        for password in PASSWORDS {
            let text = text.replace('~', password);
            let length = format!("({} characters)", password.len());
            let told = told(path, &text);
            assert!(told.len() == 1 && told[0].ends_with(&length), "{path}: {text}\n{told:?}");
        }
    }
}

/// Tokens and keys as programs make them, where people leave them.
const TOKENS: &[(&str, &str)] = &[
    ("root/.kube/config", "users:\n- name: a\n  user:\n    token: ~\n"),
    ("config.yml", "auth:\n  clientSecret: ~\n"),
    ("appsettings.json", "{\"AzureAd\": {\"ClientSecret\": \"~\"}}"),
    ("appsettings.json", "{\"Jwt\": {\n \"Issuer\": \"https://a.example\",\n \"Key\": \"~\"\n}}"),
    ("root/.cargo/credentials.toml", "[registries.x]\ntoken = \"~\"\n"),
    ("app.js", "app.use(session({ secret: '~', resave: false }))"),
    ("app.ts", "const apiKey: string = \"~\";"),
    ("app.py", "client = Client(token='~')"),
    ("config.xml", "<apiToken>~</apiToken>"),
    ("run.sh", "export VENDOR_TOKEN=~\n"),
    (".env", "TOKEN=~\n"),
    (".env", "apikey=~\nX=1\n"),
    ("a.json", "{\"TOKEN\": \"~\"}"),
    ("a.json", "{\"token\":\n    \"~\"\n}"),
    ("a.yml", "token: >-\n  ~\n"),
    ("a.yml", "client_secret: |\n  ~\nnext: 1\n"),
    ("a.yml", "token: !!str ~\n"),
    ("a.yml", "token: &main ~\n"),
    ("a.xml", "<token><![CDATA[~]]></token>"),
    ("a.php", "define('APITOKEN', '~');"),
    ("A.java", "client.setToken(\"~\");"),
    ("a.yml", "startupToken: ~\nhomepageApiKey: x\n"),
    ("a.yml", "publicapiSecret: ~\nsyncthingApiKey: x\n"),
    (
        "appsettings.json",
        "{\"Jwt\": {\"Validation\": {\"Lifetime\": true}, \"Key\": \"\", \"SigningKey\": \"~\"}}",
    ),
    ("appsettings.json", "{\"Schemes\": {\"Bearer\": {\"IssuerSigningKey\": \"~\"}}}"),
    ("docker.env", "Jwt__Key=~\n"),
];

#[test]
fn a_name_tells_a_token_in_what_somebody_wrote() {
    for (path, text) in TOKENS {
        for token in
            ["q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f", "4f8a1c9e7b2d6035aa94e1c7d85b3f02", "k3-Vw8_zQp1LmX0dRt5YbN7cHs2"]
        {
            let found = told(path, &text.replace('~', token));
            let length = format!("({} characters)", token.len());
            assert!(found.len() == 1 && found[0].ends_with(&length), "{path}: {text}: {token}\n{found:?}");
        }
    }
    assert_eq!(told("a.yml", "nodeRegistration:\n  token: 7k2p9x.4f8a1c9e7b2d6035\n").len(), 1);
}

#[test]
fn what_only_has_the_name_of_a_token_is_silent() {
    for (path, text) in [
        ("a.json", "{\"nextToken\": \"q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\"}"),
        ("a.json", "{\"continuationToken\": \"q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\"}"),
        ("a.yml", "broken: q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\n"),
        ("a.yml", "token: ${{ secrets.GITHUB_TOKEN_12345678 }}\n"),
        ("a.yml", "token: short1\nsecret: my-release-tls-1234567890\nsecretName: a1\n"),
        ("a.js", "token: this.nextToken2(lexer, 1234567890abcdef),"),
        ("a.js", "if (token === 'q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f') {}"),
        ("a.json", "{\"Jwt\": {\"Key\": \"set-by-the-environment\"}, \"Jwt\": {\"Key\": \"\"}}"),
        ("a.txt", "user = \"www:www\"\nuser = nginx\nuser=\"1000:1000\"\n"),
        ("a.cfg", "relayhost = [smtp.example.org]:587\n[smtp.example.org]:587 user:$PASS\n"),
        (
            "user-data",
            "chpasswd:\n  expire: false\n  list: |\n    root:RANDOM\n    a:$6$x\ntimezone: Asia/Tokyo1\nimages:\n  - redis:7.2-alpine\n",
        ),
        ("a.txt", "https://a.example/x?sv=2024&sig=q7Zr9Xw2Lk5Tn8\n"),
        (
            "en.json",
            "{\"apiKey\": \"API key must be 32 characters\", \"webhookSecret\": \"At least 20 Characters, maximum 64\"}",
        ),
        ("de.yml", "api_token: \"Muss zwischen 20 und 64 Zeichen lang sein (RFC 6750)\"\n"),
        (
            "a.js",
            "apiKey: 'phc_q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f', token: '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48'",
        ),
        (
            "a.json",
            "{\"token\": \"X-Api-Key-V2-Header-Name01\", \"secret\": \"Settings:ApiKeys:Primary01x\"}",
        ),
        (
            "a.json",
            "{\"token\": \"Color/Brand/Primary-500-Hover\", \"siteToken\": \"q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\"}",
        ),
        ("a.json", "{\"Jwt\": {\"Key\": \"Must be at least 32 characters long\"}}"),
        ("a.json", "{\"Jwt\": {\"Key\": \"/etc/ssl/jwt-rs256.pem.key\"}}"),
        ("a.json", "{\"Jwt\": {\"Key\": \"kv-prod-01.vault.azure.net\"}}"),
        ("hash.txt", "token: d41d8cd98f00b204e9800998ecf8427e\n"),
        ("a.yml", "secret: !Ref Q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\ntoken: !Sub q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1f\n"),
        (
            "a.sh",
            "chpasswd <<EOF\nroot:$PW\nEOF\nurl=http://localhost:8080/x1 image:v1.2.3-alpine\nimage:v1.2.3-alpine\n",
        ),
        ("user-data", "chpasswd:\n  expire: false\nfoo:bar12345\n- pool1:ntp2.org\n"),
    ] {
        assert_eq!(told(path, text), [""; 0], "{path}: {text}");
    }
}

#[test]
fn files_of_one_program_tell_logins_by_their_form() {
    for (path, text) in [
        ("root/.curlrc", "silent\nuser = \"deploy:~\"\n"),
        ("root/.curlrc", "proxy-user = deploy:~\n"),
        ("etc/postfix/sasl_passwd", "[smtp.example.org]:587 mailer@example.org:~\n"),
        ("user-data", "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:~\n"),
        ("user-data", "#cloud-config\nchpasswd:\n  list:\n    - root:~\n"),
        ("setup.sh", "chpasswd <<EOF\nroot:~\nEOF\n"),
        ("setup.sh", "chpasswd -R /mnt <<'EOF'\na:RANDOM\nroot:~\nEOF\n"),
        ("setup.sh", "chpasswd<<-EOF\n\troot:~\nEOF\n"),
        ("setup.sh", "chpasswd <<< 'root:~'\n"),
        ("user-data", "chpasswd:\n  list:\n    - \"root:~\"\n"),
        ("user-data", "chpasswd: {list: [\"root:~\"], expire: False}\n"),
        ("root/.curlrc", "silent\n-u deploy:~\n"),
        ("root/.curlrc", "  user\t\"deploy:~\"\n"),
        ("etc/postfix/sasl_passwd", "smtp.example.org:587\tmailer@example.org:~\n"),
        ("etc/postfix/sasl_passwd", "[smtp.example.org]:submission mailer@example.org:~\n"),
    ] {
        for password in PASSWORDS {
            let found = told(path, &text.replace('~', password));
            let length = format!("({} characters)", password.len());
            assert!(found.len() == 1 && found[0].ends_with(&length), "{path}: {text}: {password}\n{found:?}");
        }
    }
    let signed = "https://a.blob.core.windows.net/c/f?sv=2024-11-04&se=2027-01-01&sr=b&sp=r&sig=\
                  q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1fGm4Js0Pu2Ae9Wi5Bo7E%3D";
    for text in [signed.to_owned(), signed.replace('&', "\\u0026"), signed.replace('&', "&amp;")] {
        assert_eq!(told("a.bin", &text).len(), 1, "{text}");
    }
}

#[test]
fn what_is_taken_where_nothing_is_given_is_found() {
    for (path, text) in [
        ("app.yml", "password: ${SHOP_PASS:sunflower88}\n"),
        ("app.yml", "password: ${db.password:sunflower88}\n"),
        ("run.sh", "PASSWORD=\"${SHOP_PASS:-sunflower88}\"\n"),
    ] {
        assert_eq!(told(path, text).len(), 1, "{text}");
    }
}

#[test]
fn the_name_is_told() {
    for (path, text, name) in [
        (
            "a.xml",
            "<property><name>fs.s3a.password</name><value>sunflower88</value></property>",
            "fs.s3a.password",
        ),
        ("a.tf", "variable \"db_password\" { default = \"sunflower88\" }", "db_password"),
        ("a.ini", "ansible_ssh_pass=sunflower88\n", "ansible_ssh_pass"),
    ] {
        assert_eq!(told(path, text), [format!("password in {name}: su… (11 characters)")], "{text}");
    }
}

#[test]
fn what_only_has_the_name_of_a_password_is_silent() {
    for (path, text) in [
        ("a.py", "crc = mkCrcFun('crc-16-buypass', 'Crc16Buypass')"),
        ("a.py", "self.assertEqual(splitpasswd('user:ab12cd34'), x)"),
        ("a.py", "('http', 'name', 'password', 'localhost:22')"),
        ("a.py", "('User:Pass', 'www.python.org:080')"),
        ("a.py", "password = config.values2['password1']"),
        ("a.js", "password: options.password2,"),
        ("a.js", "if (password == 'hK3v9Qz71xWm') {}"),
        ("a.java", "setPassword(user1.getPassword2());"),
        ("a.conf", "# \"password\", \"gss\", \"scram-sha-256\".\n"),
        ("a.conf", "password_hash sunflower88\n"),
        ("a.yml", "password: ${DB_PASSWORD1}\n"),
        ("a.yml", "password: '{{ vault_password1 }}'\n"),
        ("a.yml", "passwordSecretRef: postgres-secret-1\n"),
        ("a.yml", "password: use 8 characters and 2 signs\n"),
        ("a.env", "DB_PASSWORD_FILE=/run/secrets/db1\n"),
        ("a.env", "PASSWORD=changeme123\n"),
        ("a.js", "password: 'getPasswordFromHTML', passwd: 'XMLHttpRequest', pass: 'PasswordInputFieldDTO'"),
        ("a.yml", "password: MyServicePassword\nadminPassword: ReplaceThisPlease\n"),
        ("a.env", "OLDPWD=/home/user12\n"),
        ("a.xml", "<password>${env.DEPLOY_PASSWORD1}</password>"),
        ("a.xml", "<password>{COQLCE6DU6GtcS5P1=}</password>"),
        ("a.sql", "IDENTIFIED BY '$DB_PASSWORD1'"),
        ("a.sh", "smbclient -U \"$USER1%$PASS12345\"\n"),
        ("a.sh", "htpasswd -c users1234 admin1234 group1234\n"),
        ("a.sh", "openssl passwd -6 \"$PASSWORD1\"\n"),
        ("a.sh", "zip -r out2024-11.zip dir12345\n"),
        ("a.sh", "net user admin1234\n"),
        ("a.sh", "sqlplus /nolog @script12.sql\n"),
        ("a.sh", "connect system/manager\n"),
        ("a.sh", "rsync -p dir12345/sub67890 x\n"),
        ("a.sh", "echo ${PASSWORD:-$DEFAULT12}\n"),
        ("a.yml", "password: ${DB_PASSWORD:?set it 1st}\n"),
        ("a.py", "auth=('user', os.environ['PASS1'])\n"),
        ("a.py", "client.login('https://h1.example.org/a', timeout=30)\n"),
        ("a.php", "new PDO('mysql:host=db1;dbname=shop2', $user1, $pass1);"),
        ("a.json", "{\"password\": {\"type\": \"string\", \"example\": \"abc12345\"}}"),
        ("a.json", "{\"password\": \"Password must have 8 characters\"}"),
        ("a.rb", "uri.password = \"V3ry_S3nsit1ve\""),
        ("nginx.conf", "fastcgi_pass unix:/run/php/php8.1-fpm.sock;\nuwsgi_pass php8-fpm:9000;\n"),
        ("nginx.conf", "memcached_pass memcached:11211;\n"),
        ("a.env", "FASTCGI_PASS=php8-fpm:9000\nOLDPWD=build/stage-2\n"),
        ("a.php", "'password' => 'required|string|min:8|confirmed',"),
        ("a.js", "passwd: 'minLength:8', resetPassword: 'api/v1/change-pw', inputPassword: 'col-md-6',"),
        ("a.py", "os.getenv(\"S3_PASSWORD\"); password = os.environ.get(\"PG15_PASSWORD\")"),
        ("a.py", "password = config('DB_PASSWORD_1'); p = getpass.getpass('Password1:')"),
        ("a.py", "SET_PASSWORD = 'SET_PASSWORD_V2'"),
        ("a.yml", "sql_password: __SQL_PASSWORD_1__\n"),
        ("a.json", "{\"forgotPassword\": \"Vergessen?\", \"password\": \"Wachtwoord*\"}"),
        ("a.yml", "password: Mot-de-passe*\nadminPassword: my-release-postgresql-1\n"),
        ("a.yml", "hashPass: bcrypt-12\npass: sha256crypt\n"),
        ("package.json", "{\"random-password\":\"1.0.0-beta.1\",\"svelte-password\":\"workspace:^1.0.0\"}"),
        ("a.rb", "shouldPass('1.2.3-beta1')"),
        ("a.txt", "identified by \"CVE-2024-12345\""),
        ("a.sh", "pip install -U git+https://github.com/a/b@feature%2Fabc-1234\n"),
        ("a.sh", "if [ \"$PASSWORD\" = \"abc12345\" ]; then\n[[ $PASSWORD = abc12345 ]]\n"),
        ("a.sh", "openssl passwd -6 -stdin < file1234\nopenssl passwd -1 -in pw2024.txt\n"),
        ("snmpd.conf", "rocommunity public default\nrwcommunity6 $COMMUNITY1\n"),
        ("haproxy.cfg", "stats auth admin:admin\nstats auth $USER1:$PASS1\n"),
        ("a.sh", "echo \"$PASS12\" | sudo -S ls\ncat token1.txt | docker login --password-stdin\n"),
        ("a.sh", "echo \"Logging in to registry2\"; cat pw1 | docker login --password-stdin\n"),
        ("a.sh", "echo Installing-v2.4.1 && cat f | sudo -S apt-get update\n"),
        (
            "a.sh",
            "echo net.ipv4.ip_forward=1 | sudo -S tee /etc/sysctl.d/1.conf\necho \"a=v3b4c5d6\" | sudo -S tee x\n",
        ),
        ("a.sh", "echo \"usage: mysqladmin -u root password newPassw0rd\"\n"),
        ("a.txt", "choose PSK \"WPA2-PSK\" mode\n"),
        ("a.sql", "-- createUser \"user1name2\"\nSELECT createUser ('jdoe1234');\n"),
        ("a.js", "passwort: \"Passwort1\""),
        ("de.properties", "fehler.passwort=Bitte_Passwort2_eingeben\n"),
        ("fr.yml", "mot_de_passe: Saisir8Caracteres\n"),
        ("etc/snmpd.conf", "#rocommunity paul-s3cretC0mm 10.0.0.0/24\n"),
        ("etc/ipsec.secrets", "# : PSK \"vpn-Shared1Secret\"\n"),
        ("a.sh", "mysqladmin -u root password \"$ROOT_PW1\"\nmysqladmin -h db1 version\n"),
        ("ja.properties", "パスワード=パスワードを入力してください (8 文字以上)\n"),
        ("de.po", "msgid \"Password\"\nmsgstr \"Passwort: mindestens 8 Zeichen\"\n"),
        ("a.yml", "password: ${PGPW:-$DEFAULT_1}\n"),
        ("readme.md", "<password>sunflower88</password>"),
        ("a.bin", "<password>sunflower88</password>"),
    ] {
        assert_eq!(told(path, text), [""; 0], "{path}: {text}");
    }
}

#[test]
fn what_only_its_name_tells_stands_back_behind_what_proves_itself() {
    let token = super::made(super::kind_of("GitHub token"), 3, 0).expect("parts");
    let token = String::from_utf8_lossy(&token);
    for (path, text) in [
        ("node_modules/x/a.js", format!("module.exports={{ password: 'u9:{token}' }};")),
        ("a.yml", format!("pass: deploy1:{token}\n")),
        ("a.xml", format!("<password>deploy1:{token}</password>")),
    ] {
        let told = told(path, &text);
        assert!(told.len() == 1 && told[0].starts_with("GitHub token"), "{text}: {told:?}");
    }
}

#[test]
fn many_names_without_passwords_keep_nothing_from_being_read() {
    let token = super::made(super::kind_of("GitHub token"), 3, 0).expect("parts");
    let token = String::from_utf8_lossy(&token);
    for (path, line) in [
        ("a.yml", "user01234_password: \"\"\n"),
        ("a.py", "    (\"label0001\", \"Password\"), # a password field\n"),
        ("a.yml", "host0001: {ansible_host: 10.0.0.1, ansible_ssh_pass: \"{{ v }}\"}\n"),
        ("a.json", "\"k1.password\":\"Passwort\",\n"),
        ("a.sql", "('user1','password','Password','pass'),\n"),
    ] {
        let text = line.repeat((600 << 10) / line.len()) + "token: " + &token + "\n";
        let told = told(path, &text);
        assert!(told.len() == 1 && told[0].starts_with("GitHub token"), "{line}: {told:?}");
    }
}

#[test]
fn a_secret_of_kubernetes_is_told_by_what_it_holds_and_its_whole_name() {
    use base64::Engine as _;
    let secret = |name: &str, value: &str| {
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        told("a.yaml", &format!("apiVersion: v1\nkind: Secret\ndata:\n  {name}: {value}\n"))
    };
    let key = "q7Zr9Xw2Lk5Tn8Vb3Yc6Hd1";
    for name in
        ["transport-key", "ghost-secret", "superuser-secret", "issuer-key", "tls.crt.password", "userkey"]
    {
        assert_eq!(secret(name, key).len(), 1, "{name}");
    }
    assert_eq!(secret("endpoint", "postgres://app:Tr0ub4dor3@db/x").len(), 1);
    for (name, value) in [("host", "db.internal"), ("namespace", "default-ns"), ("\"username\"", "shop-app1")]
    {
        assert_eq!(secret(name, value), [""; 0], "{name}");
    }
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert_eq!(secret("ca.crt", certificate), [""; 0]);
}
