/* main.c of holdfast-conf - the whole program, with every library; see program.h. Run by holdctl, for -t, and
 * by the parent when the lean one asks for it. */
#include "parent/conf/model.h"
#include "parent/conf/program.h"
#include "parent/conf/prove.h"

int main(int argc, char **argv)
{
    const struct program_libs libs = { .prove = conf_prove_all(),
                                       .print_json = diag_print_json,
                                       .print_model = conf_model_print };

    return program_run(argc, argv, &libs);
}
