# SPDX-License-Identifier: MIT
# Several files of tests compiled as one. What they all include and instantiate is then compiled once, which is most of
# what a test costs.
#
# zeroth_together(VARIABLE NAME [BEGIN TEXT] [END TEXT] SOURCE...): the files to compile instead of the sources, which
# they include. Each source is in a namespace of its own, so that it may name its helpers as it likes; its headers come
# before, outside of it. The namespace begins and ends with the texts, in which <stem> stands for the source's name.
# Paths are relative, so that the files are the same in every checkout, for a compile cache.
function(zeroth_together variable name)
  cmake_parse_arguments(PARSE_ARGV 2 together "" "BEGIN;END" "")
  set(most_at_a_time 16)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/together)
  file(MAKE_DIRECTORY ${folder})
  file(REAL_PATH ${folder} real_folder)

  set(files)
  set(group)
  foreach(source IN LISTS together_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH source)
    set_property(
      DIRECTORY
      APPEND
      PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} text)
    # A header must not be put before the namespaces without the condition on which it depends, so such a file stays
    # alone. So does one that replaces a function of the whole program.
    if(text MATCHES "\n#if|operator new")
      list(APPEND files ${source})
    else()
      list(APPEND group ${source})
    endif()
  endforeach()

  # As many in each, so that the compiler takes as long over each.
  list(LENGTH group count)
  math(EXPR parts "(${count} + ${most_at_a_time} - 1) / ${most_at_a_time}")
  set(number 0)
  while(group)
    list(LENGTH group count)
    math(EXPR at_a_time "(${count} + ${parts} - ${number} - 1) / (${parts} - ${number})")
    list(SUBLIST group 0 ${at_a_time} some)
    list(REMOVE_ITEM group ${some})
    set(headers "")
    set(bodies "")
    set(member 0)
    foreach(source IN LISTS some)
      file(REAL_PATH ${source} source)
      cmake_path(GET source PARENT_PATH source_folder)
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${real_folder})
      file(STRINGS ${real_folder}/${source} includes REGEX "^#include ")
      foreach(include IN LISTS includes)
        string(REGEX MATCH "\"(.*)\"" quoted ${include})
        if(quoted AND EXISTS ${source_folder}/${CMAKE_MATCH_1})
          set(header ${source_folder}/${CMAKE_MATCH_1})
          cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${real_folder})
          set(include "#include \"${header}\"")
        endif()
        string(APPEND headers "${include}\n")
      endforeach()
      cmake_path(GET source STEM stem)
      string(REPLACE "<stem>" "${stem}" begin "${together_BEGIN}")
      string(REPLACE "<stem>" "${stem}" end "${together_END}")
      string(APPEND bodies "namespace together_${number}_${member} {\n${begin}\n#include \"${source}\"\n${end}\n}\n")
      math(EXPR member "${member} + 1")
    endforeach()
    set(file ${folder}/${name}_${number}.cpp)
    file(
      GENERATE
      OUTPUT ${file}
      CONTENT "${headers}${bodies}")
    list(APPEND files ${file})
    math(EXPR number "${number} + 1")
  endwhile()
  set(${variable}
      ${files}
      PARENT_SCOPE)
endfunction()
