//! A user of the server's, with rules of its own.

use super::client::Client;
use super::server::Server;

/// A connection as a new user with these rules.
pub fn user(server: &Server, rules: &str) -> Client {
    let mut command = vec!["ACL", "SETUSER", "bob", "reset", "on", "nopass"];
    command.extend(rules.split_whitespace());
    assert_eq!(server.client().call(&command).text(), "OK");
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", "bob", "any"]).text(), "OK");
    client
}
