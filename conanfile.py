# SPDX-License-Identifier: MIT
"""Conan 2 recipe of the core, which needs no other package: conan create . --test-folder tests/consumer/conan"""

import pathlib
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy


class Zeroth(ConanFile):
    name = "zeroth"
    description = "Zeroth-order optimization in C++20 and the reference implementation of Sparse MeZO"
    license = "MIT"
    topics = ("optimization", "zeroth-order", "fine-tuning", "language-model", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True
    exports_sources = "include/*", "LICENSE"
    exports = "include/zeroth/version.hpp"

    def set_version(self):
        text = pathlib.Path(self.recipe_folder, "include/zeroth/version.hpp").read_text()
        self.version = re.search(r'VERSION_STRING "([0-9.]+)"', text).group(1)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, pathlib.Path(self.package_folder, "licenses"))
        for folder in ("zeroth", "zeroth_adapters", "zeroth_c"):
            for pattern in ("*.hpp", "*.inc", "*.h", "*.cpp"):
                copy(self, f"{folder}/{pattern}", pathlib.Path(self.source_folder, "include"),
                     pathlib.Path(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "zeroth")
        self.cpp_info.set_property("cmake_target_name", "zeroth::zeroth")
        self.cpp_info.set_property("pkg_config_name", "zeroth")
