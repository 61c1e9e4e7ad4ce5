//! The hands: leased steps, inspection in a confined child
