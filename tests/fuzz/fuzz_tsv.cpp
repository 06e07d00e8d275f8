// SPDX-License-Identifier: MIT
// Tables with tabs, with a header and without.

#include <string>
#include <vector>

#include "../../cli/tasks/task.hpp"
#include "fuzz_target.hpp"
#include "rows_file.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  static const zeroth::cli::Task with_header = zeroth::cli::find_task("sst2");
  static const zeroth::cli::Task without_header = zeroth::cli::find_task("movie-reviews");
  static const RowsFile file;
  file.write(text_of(input));
  const bool taken = file.load(with_header);
  return file.load(without_header) || taken;
}

std::vector<std::string> seeds() {
  return {
      "sentence\tlabel\ngood\t1\nbad\t0\n",
      "\xEF\xBB\xBFlabel\tcontent\r\n0\t\"quoted\r\n\r\n1\tcaf\xc3\xa9\r\n",
      "1\t2.5\tgood caf\xe9\n2\t0.1\tso so\n3\t-3\tbad\n4\t1e0\tfine\n5\t-0.6\tpoor",
  };
}

}  // namespace zeroth_fuzz
