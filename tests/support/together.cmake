# SPDX-License-Identifier: MIT
# zeroth_together(VARIABLE NAME SOURCE...): fewer files to compile, which include the sources. What several tests
# instantiate is compiled once for all of them, which is most of what a test costs. Each source is in a namespace of its
# own, so that it may name its helpers as it likes; its headers come before, outside of it.
function(zeroth_together variable name)
  set(at_a_time 12)
  set(files)
  set(group)
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source)
    set_property(
      DIRECTORY
      APPEND
      PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} text)
    # What depends on a condition stays alone: a header must not be included without it, and it may be this file's own. So
    # does what replaces a function of the whole program.
    if(text MATCHES "\n#if|operator new")
      list(APPEND files ${source})
    else()
      list(APPEND group ${source})
    endif()
  endforeach()

  set(number 0)
  while(group)
    list(SUBLIST group 0 ${at_a_time} some)
    list(REMOVE_ITEM group ${some})
    set(text "")
    foreach(source IN LISTS some)
      cmake_path(GET source PARENT_PATH folder)
      file(STRINGS ${source} includes REGEX "^#include ")
      foreach(include IN LISTS includes)
        string(REGEX MATCH "\"(.*)\"" quoted ${include})
        if(quoted AND EXISTS ${folder}/${CMAKE_MATCH_1})
          set(include "#include \"${folder}/${CMAKE_MATCH_1}\"")
        endif()
        string(APPEND text "${include}\n")
      endforeach()
    endforeach()
    set(member 0)
    foreach(source IN LISTS some)
      string(APPEND text "namespace together_${member} {\n#include \"${source}\"\n}\n")
      math(EXPR member "${member} + 1")
    endforeach()
    set(file ${CMAKE_CURRENT_BINARY_DIR}/together/${name}_${number}.cpp)
    file(
      GENERATE
      OUTPUT ${file}
      CONTENT "${text}")
    list(APPEND files ${file})
    math(EXPR number "${number} + 1")
  endwhile()
  set(${variable}
      ${files}
      PARENT_SCOPE)
endfunction()
