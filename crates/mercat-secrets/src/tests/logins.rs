//! Logins as programs keep them, and what stands in their place in manuals and stock files.

use super::kinds;
use crate::Secret;
use base64::Engine as _;

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn are_found(kind: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(kinds(text), [kind], "{text}");
    }
}

fn are_silent(texts: &[&str]) {
    for text in texts {
        assert_eq!(kinds(text), [""; 0], "{text}");
    }
}

#[test]
fn registry_logins_are_found_however_far_the_name_of_their_list_is() {
    let pair = base64("robot:hK3v9Qz71xWm");
    let empty: String = (0..200).map(|at| format!("\"mirror{at}.example.org\": {{}}, ")).collect();
    let far = format!("{{\"auths\": {{{empty}\"registry.example.org\": {{\"auth\": \"{pair}\"}}}}}}");
    let old = format!("{{\"registry.example.org\": {{\"auth\": \"{pair}\", \"email\": \"\"}}}}");
    let pretty = |indent: &str| {
        base64(&format!(
            "{{\n{indent}\"auths\": {{\n\"r.example.org\": {{\n\"auth\": \"{pair}\"\n}}\n}}\n}}\n"
        ))
    };
    are_found("registry credentials", &[&far, &old, &pretty("\t"), &pretty("  "), &pretty("    ")]);
    are_found(
        "registry identity token",
        &["{\"auth\": \"\", \"identitytoken\": \"hK3v9Qz71xWmT4bN8cR2yL6pD5sF0gJw\"}"],
    );
    let word = format!("{{\"r.example.org\": {{\"auth\": \"{}\"}}}}", base64("user:password"));
    let words = format!("{{\"r.example.org\": {{\"auth\": \"{}\"}}}}", base64("some:thing else"));
    are_silent(&[&word, &words, "{\"auth\": \"required\"}", "{\"auth\": {\"type\": \"basic\"}}"]);
}

#[test]
fn passwords_of_commands_are_found_as_people_write_them() {
    are_found(
        "password in a command",
        &[
            "CMD /app/server --db-password=hK3v9Qz71xWm --verbose\n",
            "/app/server --password hK3v9Qz71xWm\n",
            "ENTRYPOINT [\"/app/server\", \"--password\", \"hK3v9Qz71xWm\"]",
            "[\"/app/server\",\"--admin-password=hK3v9Qz71xWm\"]",
            "mysql -h db -u root -phK3v9Qz71xWm app < dump.sql\n",
            "mysqldump -u root -p'hK3v9#Qz71' app\n",
            "sshpass -p hK3v9Qz71xWm ssh root@10.0.0.5\n",
            "sshpass -p'hK3v9Qz71xWm' scp a b:\n",
            "curl -sSf -u deploy:hK3v9Qz71xWm https://repo.internal/x\n",
            "curl --user 'deploy:hK3v9Qz71xWm' https://repo.internal/x\n",
            "curl -sSf \\\n  -u deploy:hK3v9Qz71xWm \\\n  https://repo.internal/x\n",
            "[\"curl\", \"-u\", \"deploy:hK3v9Qz71xWm\", \"https://repo.internal/x\"]",
            "mysql shop -u root -phK3v9Qz71xWm\n",
            "mysql -u root -p'Tokyo-x8Kd2p' shop\n",
            "docker login -u robot -p hK3v9Qz71xWm registry.internal\n",
            "server\0--password\0hK3v9Qz71xWm\0",
            "[\n  \"server\",\n  \"--password\",\n  \"hK3v9Qz71xWm\"\n]",
            "{\"Cmd\": \"mysql -p\\\"hK3v9Qz71xWm\\\" shop\"}",
            "server -db-password hK3v9Qz71xWm\n",
        ],
    );
    are_silent(&[
        "server --password=PASSWORD\n",
        "server --password \"$DB_PASSWORD2\"\n",
        "server --password=${DB_PASSWORD1}\n",
        "server --password=projects/12345/secrets/db-password1/versions/2\n",
        "server --password-file=/run/secrets/db1\n",
        "server --password /run/secrets/db1\n",
        "server --password=secret-name-12\n",
        "--password option2.value3\n",
        "no-password=hK3v9Qz71xWm\n",
        "mysql -h db -u root -p app1\n",
        "mysql -u root -p$PASSWORD1 app\n",
        "mysql --port=3306 -p3306123\n",
        "psql -u root -phK3v9Qz71xWm\n",
        "server --password=op://vault1/item/password\n",
        "server --password=arn:aws:secretsmanager:eu-west-1:402938571034:secret:x-AbC12X\n",
        "docker run -u node22:developers3 image\n",
        "docker run --user 1000:1000 image\n",
        "curl -u deploy:$TOKEN1234 https://repo.internal/x\n",
        "curl -u name:s3cr3tpassword https://repo.internal/x\n",
    ]);
}

#[test]
fn passwords_of_connection_strings_are_found() {
    let kind = "password in a connection string";
    are_found(
        kind,
        &[
            "\"Default\": \"Server=db.internal;Database=shop;User Id=sa;Password=hK3v9#Qz71;Encrypt=true\"",
            "connectionString=\"Data Source=db;Initial Catalog=shop;Uid=sa;Password=hK3v9#Qz71\"",
            "Host=db;Port=5432;Username=shop;Password=hK3v9Qz71xWm\n",
            "jdbc:sqlserver://db:1433;user=sa;password=hK3v9Qz71xWm;\n",
            "x;password=hK3v9Qz71xWm;server=db\n",
        ],
    );
    are_silent(&[
        "Server=db;User Id=sa;Password=${DB_PASSWORD1};",
        "Server=db;User Id=sa;Password=;",
        "Server=db;User Id=sa;Password=*****123;",
        "Server=db;User Id=sa;Password=your_password1;",
        "a=1;Password=hK3v9Qz71xWm;b=2",
        "\"Server=db\";Password=hK3v9Qz71xWm",
    ]);
}

#[test]
fn logins_in_yaml_are_found_beside_their_name() {
    are_found(
        "password of a login",
        &[
            "database:\n  host: db.internal\n  password: hK3v9Qz71xWm\n",
            "database:\n  password: \"hK3v9Qz71xWm\" # of staging\n\n  user: shop\n",
            "users:\n  - user: shop\n    password: hK3v9Qz71xWm\n",
            "- password: hK3v9Qz71xWm\n  username: shop\n",
            "password: hK3v9Qz71xWm\nport: 5432\nuser: shop\n",
        ],
    );
    are_silent(&[
        "database:\n  password: hK3v9Qz71xWm\n",
        "database:\n  password: hK3v9Qz71xWm\nuser: shop\n",
        "db:\n  user: shop\n  password: !vault |\n    6162\n",
        "db:\n  user: shop\n  password: ${DB_PASSWORD1}\n",
        "db:\n  user: shop\n  password: config2.password\n",
        "auth: {\n  username: 'shop',\n  password: 'rapunz3l'\n}\n",
        "db:\n  user: shop\n  password: s3cr3tpassword\n",
    ]);
}

#[test]
fn logins_in_objects_are_found_beside_their_name() {
    are_found(
        "password of a login",
        &[
            "DATABASES = {'default': {'ENGINE': 'x', 'USER': 'shop', 'PASSWORD': 'hK3v9Qz71xWm', 'HOST': 'db'}}",
            "{\"host\": \"db\", \"password\": \"hK3v9#qz71\", \"port\": 5432}",
            "{\n  \"password\":\"hK3v9Qz71xWm\",\n  \"user\" : \"shop\"\n}",
            "{\"Username\": \"sa\", \"Password\": \"hK3v9Qz71xWm\"}",
        ],
    );
    are_silent(&[
        "{\"password\": \"hK3v9Qz71xWm\"}",
        "{\"user\": \"a\"}, {\"password\": \"hK3v9Qz71xWm\"}",
        "{\"user\": \"a\", \"password\": \"rapunz3l\"}",
        "{\"user\": \"a\", \"password\": \"${DB_PASSWORD1x}\"}",
        "{\"superuser\": \"a\", \"password\": \"hK3v9Qz71xWm\"}",
        "{\"user\": \"a\", \"password\": {\"type\": \"String123\"}}",
        "{\"user\": \"a\", \"password\": process.env.Pass123}",
        "{'USER': 'a', 'PASSWORD': os.environ['DB_Password1']}",
        "{\"user\": \"a\", \"password\": \"hK3v9Qz71xWm",
    ]);
}

#[test]
fn credentials_under_names_that_everybody_uses_are_found() {
    are_found(
        "application secret",
        &[
            "SECRET_KEY = 'm3#x9!q2vk&7w(t0z1r8)d5jf6b4n-yc+p_hgsua@e%il'\n",
            "SESSION_SECRET=hK3v9Qz71xWmT4bN8cR2\n",
            "SECRET_KEY=hK3v9Qz71xWmT4bN-R2yL6pD5sF0gJw\n",
            "SECRET_KEY_BASE=hK3v9Qz71xWmT4bN8cR2\n",
            "secret_key         = \"hK3v9Qz71xWmT4bN8cR2\"\n",
            "client-secret: hK3v9Qz71xWmT4bN8cR2\n",
            "ENCRYPTION_KEY=3f9a1c7e5b2d8064a9e1f37c5d0b8246\n",
            "\"client_secret\": \"hK3v9Qz71xWmT4bN8cR2yL6p\"\n",
        ],
    );
    are_found(
        "API key or token",
        &["API_KEY=hK3v9Qz71xWmT4bN8cR2\n", "my_access_token: hK3v9Qz71xWmT4bN8cR2\n"],
    );
    are_found(
        "API key or token",
        &["REFRESH_TOKEN=hK3v9Qz71xWmT4bN8cR2\n", "my_api_key: 3f9a1c7e-5b2d-4064-a9e1-f37c5d0b8246\n"],
    );
    are_found(
        "password",
        &["KEYSTORE_PASS=hK3v9Qz71xWm\n", "MYAPP_PASSWORD=Xk9-Lm2-Qp7-Zt4\n", "MQ_PWD=Tokyo!QOhXkW\n"],
    );
    are_found(
        "database password",
        &["DB_PASSWORD=Tokyo!QOhXkW\n", "db_password        = \"hK3v9Qz71xWm\"\n"],
    );
    are_found("password", &["SMTPD_PASSWORD=hK3v9Qz71xWm\n", "\"db_passwd\": \"hK3v9Qz71\"\n"]);
    are_found("JWT signing secret", &["JWT_SECRET=hK3v9Qz71x\n"]);
    are_found("Telegram bot token", &["BOT_TOKEN=7195038264:AAhK3v9Qz71xWmT4bN8cR2yL6pD5sF0gJw9\n"]);
    are_silent(&[
        "SECRET_KEY = os.environ['SECRET_KEY_OF_APP_22']\n",
        "SECRET_KEY=${SECRET_KEY:-hK3v9Qz71xWmT4bN8cR2}\n",
        "api_key: settings22.third_party.api_key33\n",
        "client_secret: getClientSecretFor22Services(\n",
        "https://x/authorize?access_token=sdf0o9823sjdfsdf&Callback=https%3A%2F%2F127\n",
        "new_password=new_password1\n",
        "DB_PASSWORD=__REPLACE_ME_1__\n",
        "API_KEY=op://Private12/item/credential\n",
        "API_KEY: arn:aws:secretsmanager:eu-west-1:402938571034:secret:prod/db-AbC12X\n",
        "MYAPP_PASSWORD=projects/402938571034/secrets/Db/versions/2\n",
        "MYAPP_PASSWORD=vault:Secret/data/db12#Pass\n",
        "ACCESS_TOKEN: https://a1.acme.io/oauth2/Tok\n",
        "access_token:null===(a12=r.Data)||void\n",
        "client_secret:this._cfg1&&this._Cfg2.secret}",
        "e.USER_PASSWORD=t1||n2.X,",
        "API_KEY=your-api-key-of-32-characters-XX11\n",
        "ACCESS_TOKEN=/run/secrets/Access22Token33File\n",
    ]);
}

#[test]
fn logins_of_npm_are_found() {
    let (pair, password) = (base64("robot:hK3v9Qz71xWm"), base64("hK3v9Qz71xW"));
    are_found(
        "npm registry login",
        &[
            &format!("_auth={pair}"),
            &format!("email=a@b.c\n_auth = \"{pair}\"\n"),
            &format!("//npm.internal/:_password=\"{password}\"\n"),
            &format!("//npm.internal/:_password={}\n", base64("hK3v9Qz71")),
        ],
    );
    are_found(
        "npm registry token",
        &[
            "//npm.internal/:_authToken=3f9a1c7e-5b2d-4064-a9e1-f37c5d0b8246\n",
            "//npm.internal/:_authToken=NpmToken.3f9a1c7e-5b2d-4064-a9e1-f37c5d0b8246\n",
            "npmAuthToken: \"hK3v9Qz71xWmT4bN8cR2yL6pD5sF0gJw\"\n",
        ],
    );
    are_silent(&[
        "//npm.internal/:_authToken=${NPM_TOKEN}\n",
        "//npm.internal/:_auth=${NPM_AUTH}\n_password=${NPM_PASSWORD}\n",
        "_auth=\n_password=\n",
        &format!("_auth={}\n", base64("username:password")),
        &format!("proxy_auth={pair}\nold-password: {password}\n"),
        "_password=somevalue\n_auth=yes\n",
    ]);
}

#[test]
fn passwords_in_option_files_of_mysql_are_found() {
    are_found(
        "MySQL password",
        &[
            "[client]\nhost = localhost\nuser = maint\npassword = hK3v9Qz71xWm\nsocket = /run/x\n",
            "x\r\n[mysqldump]\r\nquick\r\npassword=\"a b#c 9!\"\r\n",
            "[client-server]\n[client]\n# its own\n  password=hunter2 # mine\n",
            "[mariadb-client]\npassword='$ecret!1'\n",
        ],
    );
    are_silent(&[
        "[client]\n# password = your_password\nport = 3306\n",
        "[client]\npassword\n",
        "[client]\npassword=\n",
        "[client]\npassword = <password>\n",
        "[client]\npassword = ${DB_PASSWORD}\n",
        "[client]\npassword = changeme\n",
        "[client]\npassword = your_password1\n",
        "[client]\nuser = app\n[other]\npassword = hunter2\n",
        "see [client]\npassword = hunter2\n",
        "[client handshake]\npassword = hunter2\n",
    ]);
}

#[test]
fn constants_of_php_are_found() {
    let salt = r"}.G&L*q5(fV0B/#Y}_6vN{:x8h@Z3k;dT^w!s%7m~R+C|e1jP2uK<aO>b-9gI=?J";
    are_found(
        "WordPress secret key",
        &[
            &format!("define('SECURE_AUTH_KEY', '{salt}');"),
            &format!("define( \"NONCE_SALT\",       \"{salt}\" );"),
        ],
    );
    are_found(
        "database password",
        &["define(\"DB_PASSWORD\",\"hunter2\");", "define( 'DB_PASSWORD', 'pa$$w0rd' );"],
    );
    are_silent(&[
        "define('DB_PASSWORD', '');",
        "define('DB_PASSWORD', getenv_docker('WORDPRESS_DB_PASSWORD', 'example password'));",
        "define('DB_PASSWORD', 'password');",
        "define('DB_PASSWORD', '{{ db_password }}');",
        "define('DB_PASSWORD', '${DB_PASSWORD}');",
        "$keys = array('AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY');",
        "define('AUTH_KEY', getenv_docker('WORDPRESS_AUTH_KEY', 'put your unique phrase here'));",
        "define('AUTH_KEY', 'the quick brown fox');",
    ]);
}

#[test]
fn passwords_in_properties_of_java_are_found() {
    are_found(
        "Java property password",
        &[
            "spring.datasource.password=hunter2\n",
            "spring.data.redis.password: hK3v(9)Qz\r\n",
            "CMD java -Dspring.datasource.hikari.password=hK3v9Qz71 -jar app.jar",
            "[\"java\", \"--spring.mail.password=hK3v9Qz71\"]",
            "hibernate.connection.password = p@ss;w0rd\njdbc.url=x\n",
        ],
    );
    are_found(
        "database password",
        &[
            "spring:\n  datasource:\n    hikari:\n      # its own\n      password: \"hK3v9#Qz71\" # ours\n",
            "\ndatasource:\r\n  username: app\r\n\r\n  password: hunter2\r\n",
            "SPRING_DATASOURCE_PASSWORD=hK3v9Qz71xWm\n",
        ],
    );
    are_silent(&[
        "spring.datasource.password=\nserver.port=8080\n",
        "spring.datasource.password=secret\n",
        "spring.datasource.password=changeme1\n",
        "spring.datasource.password=ENC(G6N718UuyPE5bHyWKyuLQSm02auQPUtm)\n",
        "spring.datasource.password={cipher}3f9a1c7e5b2d8064a9e1f37c5d0b8246\n",
        "spring.datasource.password=@db.password1@\n",
        "spring.datasource.password=<password1>\n",
        "spring.security.user.passwords=hunter2\n",
        "self.password = password2\nconfig.jdbcs.password=hunter2\n",
        "@Value(\"${spring.datasource.password}\") String password1;",
        "datasource:\n  password: !vault |\n    3f9a1c7e5b2d8064\n",
        "datasource:\n  password: *anchor1\n",
        "datasource:\n  url: x\nother:\n  password: hK3v9Qz71xWm\n",
        "  datasource: x\n    password: hK3v9Qz71xWm\n",
        "spring:\n  datasource:\n    password:\n    username: app2\n",
    ]);
}

#[test]
fn password_files_of_postgresql_are_found_with_any_usual_port() {
    are_found(
        "PostgreSQL password file",
        &[
            "*:*:*:*:hunter2\n",
            "# mine\ndb.internal:*:app:app:hK3v9Qz71\n",
            "localhost:6432:*:app:hK3v\\:9Qz71\n",
            "10.0.0.7:15432:app:app:p@ss!word\n",
            "db:5433:app:app:hK3v9Qz71\nother:5433:a:b:secret\n",
            "RUN echo 'db:26257:app:app:hK3v9Qz71' > ~/.pgpass",
        ],
    );
    are_silent(&[
        "hostname:5432:database:username:password\n",
        "*:*:*:postgres:${PGPASS1}\n",
        "*:*:*:postgres:changeme\n",
        "case $x in *:*:*:*:*) ;;\n",
        "127.0.0.1:5432:5432\n0.0.0.0:15432:5432\n",
        "app:x:432:433:Some User1:/home/app1:/bin/sh\n",
        "2024-01-01T10:11:12.432:INFO:main:started1\n",
        "db:5432:app:app:user:pass1\n",
        "lib.rs:5432::a:hunter2\n",
    ]);
}

#[test]
fn passwords_with_any_signs_are_found_in_urls() {
    are_found(
        "URL with a password",
        &[
            "postgres://app:hK3v%219Qz%40x@db.internal/x",
            "mysql://app:hK3v$9*Qz(x)@db.internal/x",
            "amqp://app:hK3v@9Qz:7xWm@db.internal:5672",
            "redis://:hK3v,9;Qz=7+x@cache:6379/0",
            "https://robot%40a.org:hK3v9Qz71xWm@[::1]:8443/",
            "mongodb://a+b:hK3v9Qz7!xWm@h1:27017,h2:27017/x",
        ],
    );
    are_silent(&[
        "https://user:p%61ssword@example.org/",
        "postgres://app:$DB_PASSWORD1@db.internal/x",
        "postgres://app:pre$DB_PASSWORD1@db.internal/x",
        "postgres://app:%(password1)s@db.internal/x",
        "postgres://app:{password1}@db.internal/x",
        "postgres://app:%PASSWORD12%@db.internal/x",
        "https://user:changeme%21123@host.org/",
        "://[^:]+:([^@]+)@host.org/",
        "https://user:(?<pass12>.+)@host.org/",
        "cvs://:pserver:anonymous@sources.example.org:/cvs/src",
        "https://one.org:123,foo:bar@two.org/path",
        "https://host.org:8443/a@b.org",
        "see http://host:8080,or12/mail@me.org",
        "https://user:*****12345@host.org/",
    ]);
}

#[test]
fn passwords_behind_a_name_of_its_own_are_found() {
    are_found(
        "password",
        &[
            "PASSWORD=hK3v9Qz71xWm\n",
            "USER=app\nexport PASSWORD=\"Tokyo-x8Kd2p\"\n",
            "ENV PASSWORD=hK3v9Qz71xWm\n",
            "Environment=\"PASSWORD=hK3v9Qz71xWm\"\n",
            "Environment=PASSWORD=hK3v9Qz71xWm\n",
            "    environment:\n      - PASSWORD=hK3v9Qz71xWm\n",
            "[database]\npassword = \"hK3v9Qz71xWm\"\n",
            "[smtp]\r\nuser = app\r\npassword=hK3v9Qz71xWm\r\n",
            "db.password=hK3v9Qz71xWm\n",
            "private static final String PASSWORD = \"hK3v9Qz71xWm\";\n",
            "const dbPassword = 'hK3v9Qz71xWm'\n",
            "jdbc:postgresql://db:5432/shop?user=app&password=hK3v9Qz71xWm\n",
            "host=db user=app password=hK3v9Qz71xWm dbname=shop sslmode=disable\n",
            "conn = connect(host=\"db\", user=\"app\",\n    password=\"hK3v9Qz71xWm\")\n",
            "<Resource name=\"jdbc/shop\" username=\"app\" password=\"hK3v9Qz71xWm\" url=\"jdbc:x\"/>\n",
            "<user username=\"admin\" password=\"hK3v9Qz71xWm\" roles=\"manager\"/>\n",
            "<property name=\"password\" value=\"hK3v9Qz71xWm\"/>\n",
            "os.environ.get('DB_PASSWORD', 'hK3v9Qz71xWm')\n",
            "os.getenv(\"API_TOKEN\", \"hK3v9Qz71xWmT4bN8cR2\")\n",
            "const p = process.env.DB_PASSWORD || 'hK3v9Qz71xWm'\n",
        ],
    );
    are_found(
        "password in a connection string",
        &["Driver={X};Server=db;Uid=app;Pwd=hK3v9Qz71xWm;\n", "\"app:hK3v9Qz71xWm@tcp(db:3306)/shop\"\n"],
    );
    are_silent(&[
        "PASSWORD=\n",
        "PASSWORD=$1\n",
        "PASSWORD=${PASSWORD:-hK3v9Qz71xWm}\n",
        "password=getpass.getpass1()\n",
        "password = self.config2.password\n",
        "# password=hK3v9Qz71xWm\n",
        "if password == 'hK3v9Qz71xWm':\n",
        "the password=hK3v9Qz71xWm of the manual is not one\n",
        "https://example.org/login?password={0}\n",
        "/login?user=a&password=hK3v9Qz71xWm\n",
        "<property name=\"password\" value=\"{COQLCE6DU6GtcS5P12=}\"/>\n",
        "label.password=Password1\n",
        "nopassword=hK3v9Qz71xWm\n",
        "os.environ.get('HOME', '/home/Node22x')\n",
        "os.environ.get('DB_PASSWORD')\nx = 'hK3v9Qz71xWm'\n",
        "git@tcp(\n",
        "PWD=/root/Node22x;PWD=/srv\n",
    ]);
}

#[test]
fn passwords_of_more_commands_are_found() {
    are_found(
        "password in a command",
        &[
            "ALTER USER 'root'@'localhost' IDENTIFIED WITH mysql_native_password BY 'hK3v9Qz71xWm';\n",
            "RUN echo 'root:toor' | chpasswd\n",
            "RUN printf '%s' 'root:$1a' | chpasswd\n",
            "/bin/sh -c echo \"root:Docker!\" | chpasswd\n",
            "ldapsearch -x -D cn=admin -w hK3v9Qz71xWm -b dc=x\n",
            "redis-cli -h cache -a hK3v9Qz71xWm ping\n",
            "redis-server --requirepass hK3v9Qz71xWm\n",
            "port 6379\nrequirepass hK3v9Qz71xWm\n",
            "sqlcmd -S db -U sa -P 'hK3v9Qz71xWm' -Q x\n",
            "mongosh -u app -p hK3v9Qz71xWm\n",
            "openssl rsa -in k.pem -passin pass:hK3v9Qz71xWm\n",
            "keytool -genkey -storepass hK3v9Qz71xWm\n",
            "gpg --batch --passphrase \"hK3v9Qz71xWm\" -d x\n",
        ],
    );
    are_silent(&[
        "CREATE USER app IDENTIFIED WITH sha256_password BY '${PASSWORD1}';\n",
        "echo \"root:$PASSWORD1\" | chpasswd\n",
        "cat users | chpasswd -e\n",
        "Nov 29 16:20:31 host sudo: app : COMMAND=cat users | chpasswd\n",
        "chpasswd: see the manual\n",
        "usermod -p x root; chpasswd /etc/x:abc\n",
        "ldapsearch -x -W -b dc=x1\n",
        "redis-cli -a \"$REDIS_PASSWORD1\"\n",
        "openssl rsa -passin env:PASSWORD1\n",
        "openssl rsa -passin file:/run/key1\n",
        "keytool -storepass changeit\n",
        "gpg --passphrase-file x1\n",
    ]);
}

#[test]
fn values_are_found_where_manifests_and_types_stand_between() {
    are_found(
        "database password",
        &[
            "- name: DB_PASSWORD\n  value: hK3v9Qz71xWm\n",
            "- name: DB_PASSWORD\n  value: \"hK3v9Qz71xWm\"\n",
            "{\"name\": \"DB_PASSWORD\", \"value\": \"hK3v9Qz71xWm\"}",
        ],
    );
    are_found(
        "application secret",
        &["SECRET_KEY: str = \"hK3v9Qz71xWmT4bN8cR2\"\n", "SECRET_KEY = b'hK3v9Qz71xWmT4bN8cR2'\n"],
    );
    are_found(
        "Kubernetes Secret",
        &["apiVersion: v1\nstringData:\n  user: app\n  db: hK3v9Qz71xWm\nkind: Secret\n"],
    );
    are_silent(&[
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: hK3v9Qz71xWm\n",
        "- name: DB_PASSWORD\n- name: x\n  value: hK3v9Qz71xWm\n",
        "DB_PASSWORD\nvalue of hK3v9Qz71xWm: none\n",
        "stringData:\n  user: app\nother: hK3v9Qz71xWm\n",
        "SECRET_KEY: str = get_secret22(\n",
    ]);
}

#[test]
fn what_is_found_tells_the_name_that_it_has() {
    let told = |text: &str| super::found(text.as_bytes()).iter().map(Secret::told).collect::<Vec<_>>();
    for (text, expected) in [
        (
            "shop.MY_DB_PASSWORD = hK3v9Qz71xWm\n",
            "database password in shop.MY_DB_PASSWORD: hK… (12 characters)",
        ),
        (
            "- name: DB_PASSWORD\n  value: hK3v9Qz71xWm\n",
            "database password in DB_PASSWORD: hK… (12 characters)",
        ),
        ("export PASSWORD=\"hK3v9Qz71xWm\"\n", "password in PASSWORD: hK… (12 characters)"),
        (
            "db:\n  user: a\n  password: hK3v9Qz71xWm\n",
            "password of a login in password: hK… (12 characters)",
        ),
        ("postgres://app:hK3v9Qz71xWm@db/shop\n", "URL with a password: hK… (12 characters)"),
        ("os.getenv('API_TOKEN', 'hK3v9Qz71xWmT4bN8cR2')\n", "password: hK3v… (20 characters)"),
    ] {
        assert_eq!(told(text), [expected]);
    }
    let long = format!("{}_PASSWORD=hK3v9Qz71xWm\n", "A".repeat(80));
    assert_eq!(told(&long), ["password: hK… (12 characters)"]);
}
