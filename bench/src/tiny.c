/* SPDX-License-Identifier: MIT */
/* The program that the exec and sh rows run: it ends at once. */
int main(void)
{
    return 0;
}
