# SPDX-License-Identifier: MIT
# Fails if a header of the library includes one of a layer above its own. A line is a layer, from the bottom; headers
# of one line may include each other.
cmake_minimum_required(VERSION 3.24)

set(layers
    "zeroth/version.hpp zeroth/config.hpp zeroth/numeric"
    "zeroth/error.hpp zeroth/describe.hpp zeroth/executor.hpp"
    "zeroth/random"
    "zeroth/storage"
    "zeroth/sampler zeroth/executor"
    "zeroth/parameters.hpp zeroth/probe.hpp zeroth/step_plan.hpp zeroth/step_record.hpp zeroth/step_report.hpp"
    "zeroth/mask zeroth/update zeroth/estimator"
    "zeroth/options.hpp zeroth/objective.hpp"
    "zeroth/backend"
    "zeroth/step"
    "zeroth/optimizer.hpp"
    "zeroth/check_engine.hpp zeroth/check_policies.hpp zeroth/run_steps.hpp"
    "zeroth/journal zeroth/journal.hpp zeroth/journal_file.hpp zeroth/replay_journal.hpp"
    "zeroth/zeroth.hpp"
    "zeroth_adapters"
    "zeroth_model/text zeroth_model/encoding"
    "zeroth_model/families zeroth_model/weights"
    "zeroth_model/adapter"
    "zeroth_model/decoder"
    "zeroth_model/ops"
    "zeroth_model/io"
    "zeroth_model/tokenizer"
    "zeroth_model/open_model.hpp"
    "zeroth_model/save_model.hpp")

# layer_of(VARIABLE HEADER): the number of the layer of a header, as an #include names it.
function(layer_of variable header)
  set(layer 0)
  foreach(members IN LISTS layers)
    string(REPLACE " " ";" members ${members})
    foreach(member IN LISTS members)
      string(FIND "${header}" "${member}/" folder)
      if(folder EQUAL 0 OR header STREQUAL member)
        set(${variable}
            ${layer}
            PARENT_SCOPE)
        return()
      endif()
    endforeach()
    math(EXPR layer "${layer} + 1")
  endforeach()
  message(SEND_ERROR "${header}: expected in a layer of ${CMAKE_CURRENT_LIST_FILE}, found in none")
  set(${variable}
      0
      PARENT_SCOPE)
endfunction()

file(
  GLOB_RECURSE headers
  RELATIVE ${INCLUDE}
  ${INCLUDE}/*.hpp ${INCLUDE}/*.inc)
list(LENGTH headers count)
if(count LESS 100)
  message(SEND_ERROR "expected the library's headers in ${INCLUDE}, found ${count}")
endif()
foreach(header IN LISTS headers)
  layer_of(own ${header})
  file(STRINGS ${INCLUDE}/${header} lines REGEX "^#include <zeroth")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include <([^>]*)>.*" "\\1" included "${line}")
    layer_of(layer ${included})
    if(layer GREATER own)
      message(SEND_ERROR "${header}: expected includes of its own layer and those below, found ${included}")
    endif()
  endforeach()
endforeach()
