//! E-mail: [`contents`] is what a mail says, [`templates`] write a mail, [`message`] puts it in the form that travels, [`mailer`] hands it to a server,
//! whose answer [`reply`] reads.

mod connection;
pub mod contents;
pub mod mailer;
pub mod message;
pub mod reply;
mod samples;
pub mod templates;

pub use self::{
    contents::{About, Content},
    mailer::{Mailer, Options, Sent, Tls},
    message::{Mail, Mailbox},
    templates::{Kind, Rendered, Templates},
};
pub use crate::resource::address::{self, Address};
