// SPDX-License-Identifier: MIT
#pragma once

// For #if, and for C; config.hpp has the same as constants. docs/compatibility.md says what each version promises, and
// scripts/release checks that the packages have that of the library.

#define ZEROTH_VERSION_MAJOR 0         ///< of the library
#define ZEROTH_VERSION_MINOR 1         ///< of the library
#define ZEROTH_VERSION_PATCH 0         ///< of the library
#define ZEROTH_VERSION_STRING "0.1.0"  ///< of the library

/// The version as one number that grows: 10203 is 1.2.3.
#define ZEROTH_VERSION (ZEROTH_VERSION_MAJOR * 10000 + ZEROTH_VERSION_MINOR * 100 + ZEROTH_VERSION_PATCH)

/// Incremented whenever the same seed gives different noise, masks, updates or roundings: a journal of another version
/// is rejected.
#define ZEROTH_NOISE_VERSION 1

/// Incremented whenever the format of journals changes (docs/journal.md). Journals are written in this version.
#define ZEROTH_JOURNAL_VERSION 1
