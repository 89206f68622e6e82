#pragma once
#include "net/loop.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace podsmith::sim {

/// What a simulated pod is made of.
struct SandboxSpec {
    std::string pod_id; ///< also its host name
    std::filesystem::path
        root; ///< scratch folder of this pod; its container disk lives below, fresh at each start
    std::filesystem::path
        volume; ///< host folder bound at volume_path; empty: none, it is on the container disk then
    std::string volume_path = "/workspace";
    std::string image; ///< for the log only: every image behaves as an official one does
    std::string args;  ///< replaces the start command /start.sh; split as a shell splits words
    std::map<std::string, std::string> env; ///< the pod's and RUNPOD_*; never passed by argv
    int gpu_count = 1;
    std::string gpu_name;
    int gpu_memory_gb = 0;
    int ssh_port = 0;             ///< 0: pick a free loopback port
    std::string sshd = "openssh"; ///< or "dropbear"
    /// `source` is "container" or "system"; called on the loop.
    std::function<void(const std::string& source, const std::string& line)> on_log;
    /// The container ended by itself; called on the loop, once, and never after stop().
    std::function<void(int code)> on_exit;
};

/// A running pod: a real sshd (or the image's own command) in a bubblewrap sandbox. Everything in it dies
/// with it, and with the process that started it. Works as root and, through user namespaces, as an ordinary
/// user.
class Sandbox {
public:
    /// Kind invalid, with the remedy as hint, when bubblewrap, user namespaces, ssh-keygen or that SSH server
    /// are missing. Runs a short-lived sandbox the first time (some 10 ms).
    static Result<void> available(const std::string& sshd = "openssh");
    /// Starts it; does not wait for sshd. Call on the loop's thread, which must outlive the sandbox. Kind io
    /// or invalid.
    static Result<std::unique_ptr<Sandbox>> start(net::Loop& loop, SandboxSpec spec);
    /// Stops it.
    virtual ~Sandbox() = default;
    /// The loopback port that sshd listens on, if it runs; the same before it is up.
    virtual int ssh_port() const = 0;
    /// Whether sshd has been started inside (the start command does that, when PUBLIC_KEY is set).
    virtual bool has_sshd() const = 0;
    /// Kills everything in it and waits for the end (some ms); on_exit is not called. Idempotent.
    virtual void stop() = 0;
    /// Sends SIGTERM to every process in it and does not wait; on_exit is called when the command ends. False
    /// when it does not run.
    virtual bool end_softly() = 0;
    /// Kills sshd and every session, starts it again on another port; container disk and detached jobs stay.
    /// Kind conflict when the pod does not run.
    virtual Result<int> move_sshd() = 0;
};

} // namespace podsmith::sim
