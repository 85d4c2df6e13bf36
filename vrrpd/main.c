/* main.c - holdfast-vrrpd: started by the parent with a channel on fd 3, of no use to anybody else. */
#include "vrrpd/vrrpd.h"

int main(void)
{
    return vrrpd_run();
}
