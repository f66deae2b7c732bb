/* Says the library's version; fails when headers and library are not of one version. */
#include <stdio.h>
#include <kop/kop.h>

int main(void) {
  if (kop_version() != KOP_VERSION_NUMBER) return 1;
  printf("kop %s\n", kop_version_string());
  return 0;
}
