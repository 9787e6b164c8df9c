//! Credentials of the process itself, as the SDKs of the vendors find them in its environment (analysis.md 4.3, 4.6).

use engine::metrics::aws::Keys;

/// Where the agent of Amazon ECS answers relative addresses.
const CONTAINER_AGENT: &str = "http://169.254.170.2";

/// What the environment names. Files are read when they are needed: they are rotated. The `Debug` form shows no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ambient {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub aws_keys: Option<Keys>,
    /// `AWS_ROLE_ARN` with `AWS_WEB_IDENTITY_TOKEN_FILE`: the role of the service account.
    pub aws_role: Option<(String, String)>,
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `…_RELATIVE_URI`, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    pub aws_agent: Option<(String, Option<String>)>,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: path of a service account's key.
    pub google_key_file: Option<String>,
}

// === impl Ambient ===

impl Ambient {
    /// Read it from an environment, once.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| lookup(name).filter(|text| !text.is_empty());
        let keys = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY"));
        let relative = || text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{CONTAINER_AGENT}{path}"));
        let agent = text("AWS_CONTAINER_CREDENTIALS_FULL_URI").or_else(relative);
        Self {
            aws_keys: keys.map(|(id, secret)| Keys {
                id,
                secret,
                token: text("AWS_SESSION_TOKEN"),
            }),
            aws_role: text("AWS_ROLE_ARN").zip(text("AWS_WEB_IDENTITY_TOKEN_FILE")),
            aws_agent: agent.map(|url| (url, text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))),
            google_key_file: text("GOOGLE_APPLICATION_CREDENTIALS"),
        }
    }
}
