//! Change notices (DESIGN §6): when a change may take effect for a customer.
//!
//! - [`clock`]: the ends of a customer's periods, from what starts them.

pub mod clock;
