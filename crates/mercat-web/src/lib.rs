//! The doors: storefront, portal, API and registry
