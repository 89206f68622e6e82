# Warnings and sanitizers, as interface targets that only our own code links.
add_library(podsmith_options INTERFACE)
target_compile_options(podsmith_options INTERFACE
  -Wall -Wextra -Wshadow -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wimplicit-fallthrough
  # False positives of g++ 12: in optimised coroutine frames (the first two), and for "text" + string (PR105651).
  -Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-restrict)
target_include_directories(podsmith_options INTERFACE ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR})
target_compile_definitions(podsmith_options INTERFACE PODSMITH_VERSION="${PROJECT_VERSION}")
if(PODSMITH_WERROR)
  target_compile_options(podsmith_options INTERFACE -Werror)
endif()
if(PODSMITH_SANITIZE)
  add_compile_options(-fsanitize=${PODSMITH_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${PODSMITH_SANITIZE})
  if(PODSMITH_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  add_compile_definitions(PODSMITH_SANITIZED)
  if(PODSMITH_SANITIZE MATCHES "thread")
    # -Wtsan: gcc warns that it does not model fences; asio has one that is not relied on here.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# podsmith_layer(NAME SOURCES a.cpp ... LINK target ...): one static library a folder, linked to exactly what it may use.
function(podsmith_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(podsmith_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(podsmith_${name} PUBLIC ${ARG_LINK} PRIVATE podsmith_options)
  target_include_directories(podsmith_${name} PUBLIC ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR})
endfunction()

# podsmith_test(NAME SOURCES test_a.cpp ... LINK target ... LABELS unit): one doctest program a layer, one ctest entry.
function(podsmith_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(test_${name} ${PROJECT_SOURCE_DIR}/tests/support/main.cpp ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} doctest::doctest podsmith_options)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  # The code under test is optimised as the build says; the tests themselves need only compile soon.
  target_compile_options(test_${name} PRIVATE -O0 -g0)
  add_test(NAME unit_${name} COMMAND test_${name} --no-version)
  set_tests_properties(unit_${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 900)
endfunction()
