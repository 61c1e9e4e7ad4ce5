//! The ledger: records, history, tasks and leases
