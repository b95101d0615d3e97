/* A library that is loaded before user-mode Linux (LD_PRELOAD): without it, linux.uml 6.1 panics at its first process on a
   processor whose register state is larger than the 2,696 bytes that it sets aside, e.g. one with AMX (11,008 bytes).

   Takes the place of ptrace(). When user-mode Linux sets a process's registers, the kernel wants the whole state or refuses:
   what is beyond user-mode Linux's part is filled with zeros, which stand for "never used". All else passes as it is.
   Needs no headers, so that tcc alone can compile it. x86-64, as Debian's user-mode-linux is. */

enum { SYS_PTRACE = 101, PEEK_FIRST = 1, PEEK_LAST = 3, GET_REGISTER_SET = 0x4204, SET_REGISTER_SET = 0x4205, EXTENDED_STATE = 0x202 };

struct buffer {
  void *start;
  unsigned long length;
};

long syscall(long number, ...);
void *memcpy(void *to, const void *from, unsigned long length);
void *memset(void *start, int value, unsigned long length);

static char whole_state[65536];
static unsigned long whole_length;

static void measure(long process) {
  struct buffer whole = {whole_state, sizeof whole_state};
  if (syscall(SYS_PTRACE, GET_REGISTER_SET, process, EXTENDED_STATE, &whole) == 0) whole_length = whole.length;
  memset(whole_state, 0, sizeof whole_state);
}

static long set_extended_state(long process, const struct buffer *part) {
  struct buffer whole = {whole_state, whole_length};
  if (whole_length <= part->length) return syscall(SYS_PTRACE, SET_REGISTER_SET, process, EXTENDED_STATE, part);
  memcpy(whole_state, part->start, part->length);
  return syscall(SYS_PTRACE, SET_REGISTER_SET, process, EXTENDED_STATE, &whole);
}

/* The C library's prototype is variadic; on x86-64 four words arrive the same way. */
long ptrace(long request, long process, long address, void *data) {
  long word;
  request = (int)request;
  process = (int)process;
  if (request == SET_REGISTER_SET && address == EXTENDED_STATE) {
    if (whole_length == 0) measure(process);
    return set_extended_state(process, data);
  }
  /* The system call stores the word that is peeked at; the C library's function returns it. */
  if (request >= PEEK_FIRST && request <= PEEK_LAST) return syscall(SYS_PTRACE, request, process, address, &word) < 0 ? -1 : word;
  return syscall(SYS_PTRACE, request, process, address, data);
}
