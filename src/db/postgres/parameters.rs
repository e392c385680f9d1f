//! The parameters of a connection to PostgreSQL, as libpq has them (PostgreSQL's manual, 34.1.1 and 34.15): of a connection string, and
//! of the environment for what it leaves out.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::target::setting;

/// Where a server listens that is on the same machine.
const SOCKETS: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];
const PORT: u16 = 5432;

/// Parameters of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// A name, an address, or the folder of a socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    password: Option<String>,
    pub(super) name: Option<String>,
    pub(super) ssl_mode: Option<String>,
    /// A file with certificates that are believed.
    pub(super) roots: Option<String>,
    /// Files with the certificate that the server is shown, and its key.
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    /// Start-up options of the server: ` -c name=value`.
    pub(super) options: String,
    /// A file with passwords.
    password_file: Option<PathBuf>,
}

impl Parameters {
    /// Those of a connection string, in which there is nothing that would not be heeded. Errors name what is wrong and quote no value.
    pub(super) fn of(
        url: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let set = |name| environment(name).filter(|value| !value.is_empty());
        let home = || Some(Path::new(&set("HOME")?).join(".pgpass"));
        let mut all = Self {
            host: set("PGHOSTADDR")
                .or_else(|| set("PGHOST"))
                .unwrap_or_default(),
            port: set("PGPORT").map_or(Ok(PORT), |port| number("PGPORT", &port))?,
            user: set("PGUSER"),
            password: set("PGPASSWORD"),
            name: set("PGDATABASE"),
            ssl_mode: set("PGSSLMODE"),
            roots: set("PGSSLROOTCERT"),
            certificate: set("PGSSLCERT"),
            key: set("PGSSLKEY"),
            options: set("PGOPTIONS").map_or(String::new(), |options| format!(" {options}")),
            password_file: set("PGPASSFILE").map(PathBuf::from).or_else(home),
        };
        if let Some(host) = set("PGHOSTADDR") {
            all.host = ip("PGHOSTADDR", host)?;
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        all.address(address)?;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            all.parameter(&name, value)?;
        }
        all.host = match all.host.as_str() {
            "" => socket().unwrap_or("localhost").to_owned(),
            host => host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
        };
        let texts = [
            Some(&all.host),
            all.user.as_ref(),
            all.password.as_ref(),
            all.name.as_ref(),
            Some(&all.options),
        ];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err("contains U+0000".to_owned());
        }
        Ok(all)
    }

    /// `postgres://user:password@host:port/name`, of which any part may be missing.
    fn address(&mut self, address: &str) -> Result<(), String> {
        let rest = address.split_once("://").map_or_else(
            || address.split_once(':').map_or("", |(_, rest)| rest),
            |(_, rest)| rest,
        );
        let (place, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match place.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, place),
        };
        if let Some(user) = user {
            let (user, password) = match user.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (user, None),
            };
            self.user = given(decoded("user", user)?).or_else(|| self.user.take());
            if let Some(password) = password {
                self.password = Some(decoded("password", password)?);
            }
        }
        let (host, port) = port_of(host)?;
        if let Some(host) = given(decoded("host", host)?) {
            self.host = host;
        }
        if let Some(port) = port {
            self.port = number("the port", port)?;
        }
        if let Some(name) = given(decoded("name", name)?) {
            self.name = Some(name);
        }
        Ok(())
    }

    fn parameter(&mut self, name: &str, value: Cow<'_, str>) -> Result<(), String> {
        let value = value.into_owned();
        match name {
            "host" | "hostaddr" if value.is_empty() => {}
            "host" => self.host = value,
            "hostaddr" => self.host = ip("hostaddr", value)?,
            "port" => self.port = number("port", &value)?,
            "user" => self.user = given(value),
            "password" => self.password = Some(value),
            "dbname" => self.name = given(value),
            "sslmode" | "ssl-mode" => self.ssl_mode = Some(value),
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => self.roots = Some(value),
            "sslcert" | "ssl-cert" => self.certificate = Some(value),
            "sslkey" | "ssl-key" => self.key = Some(value),
            "passfile" => self.password_file = Some(value.into()),
            "options" => self.options.extend([" ", &value]),
            "application_name" | "statement-cache-capacity" => {}
            name => {
                let option = name.strip_prefix("options[");
                let Some(option) = option.and_then(|option| option.strip_suffix(']')) else {
                    return Err(format!("the parameter `{name}` is not known"));
                };
                self.options.push_str(&setting(option, &value));
            }
        }
        Ok(())
    }

    /// The password: as given, or from the file of passwords. A file that others can read is not believed, as by libpq.
    pub(super) fn password(&self) -> Option<String> {
        if self.password.is_some() {
            return self.password.clone();
        }
        let file = self.password_file.as_deref()?;
        let text = std::fs::read_to_string(file).ok()?;
        if is_open(file) {
            tracing::warn!("the file of passwords can be read by others, and is not used");
            return None;
        }
        let is_socket = self.host.starts_with('/');
        let host = if is_socket { "localhost" } else { &self.host };
        let user = self.user.clone().unwrap_or_else(login);
        let name = self.name.as_deref().unwrap_or(&user);
        let wanted = [host, &self.port.to_string(), name, &user].map(str::to_owned);
        text.lines().find_map(|line| password_for(line, &wanted))
    }
}

/// Whoever runs the program.
fn login() -> String {
    let named = |name| std::env::var(name).ok();
    named("USER")
        .or_else(|| named("LOGNAME"))
        .unwrap_or_default()
}

fn is_open(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// The password of a line `host:port:name:user:password`, if it is for what is wanted. `*` is anything; a backslash makes the next
/// character an ordinary one.
fn password_for(line: &str, wanted: &[String; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        let is_last = fields.len() > wanted.len();
        let field = fields.last_mut()?;
        match char {
            ':' if !is_last => fields.push(String::new()),
            '\\' => field.extend(chars.next()),
            char => field.push(char),
        }
    }
    let password = fields.pop().filter(|_| fields.len() == wanted.len())?;
    let fits = |(field, wanted): (&String, &String)| field == "*" || field == wanted;
    fields.iter().zip(wanted).all(fits).then_some(password)
}

/// The host and the port of `host:port`, of `[address]:port`, or of an IPv6 address by itself.
fn port_of(host: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, behind) = rest
            .split_once(']')
            .ok_or("an IPv6 address stands in brackets: `[::1]`")?;
        return match (behind, behind.strip_prefix(':')) {
            ("", _) => Ok((address, None)),
            (_, Some(port)) => Ok((address, given_text(port))),
            (_, None) => Err("there is something between the host and its port".to_owned()),
        };
    }
    match host.split_once(':') {
        Some((_, rest)) if rest.contains(':') => {
            Err("an IPv6 address stands in brackets: `[::1]`".to_owned())
        }
        Some((host, port)) => Ok((host, given_text(port))),
        None => Ok((host, None)),
    }
}

fn given_text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn decoded(part: &str, text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Cow::into_owned)
        .map_err(|_| format!("its {part} is not UTF-8"))
}

fn ip(part: &str, host: String) -> Result<String, String> {
    match host.parse::<IpAddr>() {
        Ok(_) => Ok(host),
        Err(_) => Err(format!("{part} is not an IP address")),
    }
}

fn number(part: &str, text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{part} is not a number from 1 to 65535")),
        Ok(number) => Ok(number),
    }
}

/// The folder of the server that is on the same machine.
fn socket() -> Option<&'static str> {
    let is_there = |folder: &&str| Path::new(folder).join(".s.PGSQL.5432").exists();
    SOCKETS.into_iter().find(is_there)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Parameters, password_for};
    use crate::db::postgres::Target;

    fn of(url: &str, environment: &[(&str, &str)]) -> Result<Parameters, String> {
        Parameters::of(url, |name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// Host, port, user, password and name.
    fn seen(url: &str, environment: &[(&str, &str)]) -> String {
        let all = of(url, environment).unwrap();
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let (user, password, name) = (text(all.user), text(all.password), text(all.name));
        format!("{} {} {user} {password} {name}", all.host, all.port)
    }

    #[test]
    fn parts_are_found_in_the_address_in_parameters_and_in_the_environment() {
        for (url, environment, expected) in [
            ("postgres://u:p@h:6/d", &[][..], "h 6 u p d"),
            ("postgresql://h", &[], "h 5432 - - -"),
            ("postgres://u@[::1]:5432/d", &[], "::1 5432 u - d"),
            ("postgres://u@[::1]/d", &[], "::1 5432 u - d"),
            (
                "postgres://u@[fe80::1%25eth0]:7/d",
                &[],
                "fe80::1%eth0 7 u - d",
            ),
            ("postgres:///d?host=::1&port=9", &[], "::1 9 - - d"),
            ("postgres:///d?host=[::1]", &[], "::1 5432 - - d"),
            ("postgres:///d", &[("PGHOST", "::1")], "::1 5432 - - d"),
            ("postgres:///d?host=h", &[("PGHOST", "")], "h 5432 - - d"),
            ("postgres://%2Frun%2Fpg/d", &[], "/run/pg 5432 - - d"),
            ("postgres:///d?host=/run/pg", &[], "/run/pg 5432 - - d"),
            (
                "postgres://us%40er:p%3A%2F%40@h/d%20e",
                &[],
                "h 5432 us@er p:/@ d e",
            ),
            ("postgres://u:p@h@i/d", &[], "i 5432 u p@h d"),
            (
                "postgres://h:/d?user=u&password=p",
                &[("PGPORT", "7")],
                "h 7 u p d",
            ),
            (
                "postgres://h",
                &[
                    ("PGUSER", "u"),
                    ("PGPASSWORD", "p"),
                    ("PGDATABASE", "d"),
                    ("PGHOST", "other"),
                ],
                "h 5432 u p d",
            ),
        ] {
            assert_eq!(seen(url, environment), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_without_its_value() {
        for (url, environment, told) in [
            ("postgres://u:secret@h:secret/d", &[][..], "the port"),
            ("postgres://h:99999/d", &[], "the port"),
            ("postgres://h:0/d", &[], "the port"),
            ("postgres://::1/d", &[], "brackets"),
            ("postgres://[::1/d", &[], "brackets"),
            ("postgres://[::1]5/d", &[], "between"),
            ("postgres://u:%ff@h/d", &[], "password is not UTF-8"),
            ("postgres://u:%00@h/d", &[], "U+0000"),
            ("postgres://h/d?secret=1", &[], "`secret` is not known"),
            ("postgres://h/d", &[("PGPORT", "secret")], "PGPORT"),
        ] {
            let error = of(url, environment).unwrap_err();
            assert!(error.contains(told), "{url}: {error}");
            assert!(
                !error.contains("secret") || told.contains("secret"),
                "{error}"
            );
        }
        assert!(Target::new("postgres://h/d?sslmode=secret", []).is_err());
    }

    #[test]
    fn options_of_the_server_come_together() {
        let all = of(
            "postgres://h?options=-c+a%3D1&options[b]=x%20y",
            &[("PGOPTIONS", "-c z=0")],
        );
        assert_eq!(all.unwrap().options, " -c z=0 -c a=1 -c b=x\\ y");
    }

    #[test]
    fn a_line_of_the_file_of_passwords_fits_or_not() {
        let wanted = ["h", "5432", "d", "u"].map(str::to_owned);
        for (line, password) in [
            ("h:5432:d:u:p", Some("p")),
            ("*:*:*:*:p:q", Some("p:q")),
            ("*:*:*:*:p\\:\\\\q", Some("p:\\q")),
            ("h:5432:d:other:p", None),
            ("#h:5432:d:u:p", None),
            ("h:5432:d:u", None),
            ("", None),
        ] {
            assert_eq!(password_for(line, &wanted).as_deref(), password, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_of_a_connection_panics(url in "(postgres(ql)?:(//)?)?[ -~\u{0}\u{e9}\\[\\]:@/?%&=#0-9]{0,40}", host in ".{0,12}", port in ".{0,6}") {
            let environment = [("PGHOST", host.as_str()), ("PGPORT", port.as_str()), ("PGPASSWORD", host.as_str())];
            of(&url, &environment).ok();
            Target::new(&url, []).ok();
        }

        #[test]
        fn parts_come_back_as_they_were_written(parts in prop::collection::vec("[^\u{0}]{1,12}", 4)) {
            let encoded = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let [user, password, host, name] = &parts[..] else { unreachable!() };
            let url = format!("postgres://{}:{}@{}:7/{}", encoded(user), encoded(password), encoded(host), encoded(name));
            let all = of(&url, &[]).unwrap();
            prop_assert_eq!((all.user.as_ref(), all.password.as_ref(), all.name.as_ref()), (Some(user), Some(password), Some(name)));
        }
    }
}
