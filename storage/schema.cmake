# The SQL files become one C file of string tables, so that the program carries its schema.
file(GLOB GODWIT_MIGRATIONS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/storage/schema/*.sql)
file(GLOB GODWIT_FUNCTIONS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/storage/schema/functions/*.sql)
list(SORT GODWIT_MIGRATIONS)
list(SORT GODWIT_FUNCTIONS)
set(schema_c ${CMAKE_BINARY_DIR}/generated/storage_schema.inc)
add_custom_command(OUTPUT ${schema_c}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
  COMMAND python3 ${CMAKE_SOURCE_DIR}/storage/schema/embed.py ${schema_c} ${GODWIT_MIGRATIONS} -- ${GODWIT_FUNCTIONS}
  DEPENDS ${GODWIT_MIGRATIONS} ${GODWIT_FUNCTIONS} ${CMAKE_SOURCE_DIR}/storage/schema/embed.py
  VERBATIM)
add_custom_target(godwit_schema DEPENDS ${schema_c})
