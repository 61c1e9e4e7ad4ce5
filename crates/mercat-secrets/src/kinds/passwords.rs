//! Passwords by the names that images and tools give them.

use crate::kind::Class::Password;
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, named};

pub(super) const KINDS: &[Kind] = &[
    named("PostgreSQL password", &[NoCase("POSTGRES_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("PostgreSQL password", &[Lit("PGPASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("MySQL password", &[NoCase("MYSQL_ROOT_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("MySQL password", &[NoCase("MYSQL_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("MySQL password", &[NoCase("MYSQL_PWD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("MariaDB password", &[NoCase("MARIADB_ROOT_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("MariaDB password", &[NoCase("MARIADB_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("MongoDB password", &[NoCase("MONGO_INITDB_ROOT_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Redis password", &[NoCase("REDIS_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("Redis password", &[NoCase("REDISCLI_AUTH"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("RabbitMQ password", &[NoCase("RABBITMQ_DEFAULT_PASS"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("SQL Server password", &[NoCase("MSSQL_SA_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Oracle password", &[NoCase("ORACLE_PWD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("InfluxDB password", &[NoCase("INFLUXDB_ADMIN_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Neo4j password", &[NoCase("NEO4J_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("Cassandra password", &[NoCase("CASSANDRA_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("MinIO password", &[NoCase("MINIO_ROOT_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Grafana password", &[NoCase("GF_SECURITY_ADMIN_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Keycloak password", &[NoCase("KEYCLOAK_ADMIN_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("WordPress password", &[NoCase("WORDPRESS_DB_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("database password", &[NoCase("DATABASE_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("database password", &[NoCase("DATASOURCE_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("database password", &[NoCase("DB_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("database password", &[NoCase("DB_PASS"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("SSH password", &[Lit("SSHPASS"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("LDAP password", &[NoCase("LDAP_ADMIN_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("registry password", &[NoCase("REGISTRY_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("registry password", &[NoCase("DOCKER_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("administrator password", &[NoCase("ADMIN_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("root password", &[NoCase("ROOT_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("VNC password", &[NoCase("VNC_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("Windows sign-in password", &[Lit("DefaultPassword"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
];
