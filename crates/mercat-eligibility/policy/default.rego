# Eligibility rules that come with the program. Nothing here fires until the operator sets a value:
# write a JSON file such as
#
#   {"eligibility": {"image_bytes_max": 2000000000, "labels": ["org.opencontainers.image.source"]}}
#
# and name it in mercat.toml:
#
#   [certification]
#   eligibility = ["eligibility.json"]
#
# A policy of your own is one or more .rego files named at the same place. They replace this file, and add to the set
# `findings` in the package `mercat.eligibility`. A finding is an object:
#
#   rule      starts with ELG-
#   severity  error (blocks), warning, info, or shadow (recorded only)
#   observed, required, fix    one sentence each
#   place     optional: plan, platform, layer, path, package, field
#
# The input is {"verdict": the document (mercat.verdict/1), "listing": the offer as its API document, where there is one}.
package mercat.eligibility

import rego.v1

settings := data.eligibility

# Compressed bytes of one image, all layers together.
findings contains finding if {
	some image in input.verdict.images
	bytes := sum([layer.packedBytes | some layer in image.layers])
	bytes > settings.image_bytes_max
	finding := {
		"rule": "ELG-SIZE",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("%d bytes of layers", [bytes]),
		"required": sprintf("at most %d bytes", [settings.image_bytes_max]),
		"fix": "leave out what the image does not need to run",
		"place": {"platform": image.platform},
	}
}

# Layers of one image.
findings contains finding if {
	some image in input.verdict.images
	count(image.layers) > settings.layers_max
	finding := {
		"rule": "ELG-LAYERS",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("%d layers", [count(image.layers)]),
		"required": sprintf("at most %d layers", [settings.layers_max]),
		"fix": "join build steps, or squash the image",
		"place": {"platform": image.platform},
	}
}

# Labels that every image has to set.
findings contains finding if {
	some image in input.verdict.images
	some label in settings.labels
	not label in image.labels
	finding := {
		"rule": "ELG-LABEL",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("the label %s is not set", [label]),
		"required": sprintf("a value for the label %s", [label]),
		"fix": "set the label when you build the image",
		"place": {"platform": image.platform},
	}
}

# Platforms that this market runs.
findings contains finding if {
	some image in input.verdict.images
	not image.platform in settings.platforms
	finding := {
		"rule": "ELG-PLATFORM",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("an image for %s", [image.platform]),
		"required": sprintf("one of %s", [concat(", ", settings.platforms)]),
		"fix": "leave this platform out of the index",
		"place": {"platform": image.platform},
	}
}

# Bytes of a disk.
findings contains finding if {
	input.verdict.disk.bytes > settings.disk_bytes_max
	finding := {
		"rule": "ELG-DISK-SIZE",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("a disk of %d bytes", [input.verdict.disk.bytes]),
		"required": sprintf("at most %d bytes", [settings.disk_bytes_max]),
		"fix": "make the disk smaller and add data disks where more room is needed",
	}
}

# Operating systems that this market runs, by ID of os-release.
findings contains finding if {
	id := input.verdict.disk.osId
	not id in settings.operating_systems
	finding := {
		"rule": "ELG-OS",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("the operating system %q", [id]),
		"required": sprintf("one of %s", [concat(", ", settings.operating_systems)]),
		"fix": "start from an image of an operating system that this market runs",
	}
}

# Fields of the offer that must be filled in.
findings contains finding if {
	input.listing
	some field in settings.listing_fields
	object.get(input.listing, field, "") in {"", null}
	finding := {
		"rule": "ELG-LISTING",
		"severity": object.get(settings, "severity", "error"),
		"observed": sprintf("the field %s is empty", [field]),
		"required": "a value",
		"fix": "fill the field in and publish again",
		"place": {"field": field},
	}
}
